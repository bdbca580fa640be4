#include "actors/requests/constraint_check.hpp"

#include <optional>

namespace troupe {

void check_constraint(const text_constraint& constraint) {
  static thread_local std::optional<text_constraint> last_good;
  if (last_good == constraint) return;
  compile(constraint);
  constexpr size_t bytes_max = 1 << 20;
  if (constraint.text.size() <= bytes_max) last_good = constraint;
}

} // namespace troupe
