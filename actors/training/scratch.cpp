#include "actors/training/scratch.hpp"

namespace troupe {

training_scratch& training_scratch_of_this_thread() {
  static thread_local training_scratch scratch;
  return scratch;
}

} // namespace troupe
