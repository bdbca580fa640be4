#include "model/training/micro_batch.hpp"
#include <algorithm>

namespace troupe {

uint64_t micro_batch::target_count() const {
  return uint64_t(std::ranges::count_if(targets, [](int32_t target) { return target >= 0; }));
}

} // namespace troupe
