#include "model/training/micro_batch.hpp"
#include <algorithm>

namespace troupe {

uint64_t micro_batch::target_count() const {
  return uint64_t(std::ranges::count_if(targets, [](int32_t target) { return target != no_target; }));
}

std::vector<uint32_t> positions_of(std::span<const uint32_t> lengths) {
  std::vector<uint32_t> positions;
  for (const uint32_t length : lengths)
    for (uint32_t position = 0; position < length; ++position) positions.push_back(position);
  return positions;
}

} // namespace troupe
