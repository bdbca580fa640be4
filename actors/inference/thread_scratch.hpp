#pragma once
// Buffers for the code of model/, one set for each thread.
#include "model/parts.hpp"

namespace troupe {

/// The buffers in which parts (model/parts.hpp) compute. Actors on one thread run one after the other, so they need no buffers of
/// their own, which would be large after a long prompt and would have left the CPU caches by the next token.
part_scratch& scratch_of_this_thread();

} // namespace troupe
