#include "model/error.hpp"

namespace troupe {

void throw_broken_invariant(const char* condition, const char* file, int line) {
  throw broken_invariant(std::string("broken invariant: ") + condition + " (" + file + ":" + std::to_string(line) +
                         ")");
}

} // namespace troupe
