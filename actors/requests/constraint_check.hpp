#pragma once
// Whether a constraint can be enforced.
#include "model/constraints/constraint.hpp"

namespace troupe {

/// Throws input_error, as compile() does. The choices of one request have one constraint, which is compiled once: a thread remembers the
/// last one that it has found good, unless it is longer than 1 MiB.
void check_constraint(const text_constraint& constraint);

} // namespace troupe
