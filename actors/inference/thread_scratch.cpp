#include "actors/inference/thread_scratch.hpp"

namespace troupe {

part_scratch& scratch_of_this_thread() {
  static thread_local part_scratch scratch;
  return scratch;
}

} // namespace troupe
