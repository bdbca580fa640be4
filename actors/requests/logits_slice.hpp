#pragma once
// A sequence's own rows in the result of a step.
#include "troupe/v1/step.pb.h"
#include <cstdint>
#include <optional>
#include <span>

namespace troupe {

/// Where a sequence's rows are in a step.
struct slice_place {
  uint32_t position = 0, rows = 0, logits_rows = 0;
  uint64_t row = 0, logits_row = 0; // Index of the first among all rows, and among those that want logits.
  uint32_t end() const { return position + rows; }
};

/// Nothing: the step has no rows of it.
std::optional<slice_place> find_slice(const v1::StepPlan& plan, uint64_t sequence);

/// Whether these rows arrived as the output sent them.
bool are_whole(const v1::LogitsResult& result, const slice_place& place);

/// Row `index` of those that want logits.
inline std::span<const float> logits_of(const v1::LogitsResult& result, const slice_place& place, uint32_t index) {
  return {result.values().data() + (place.logits_row + index) * result.width(), result.width()};
}

} // namespace troupe
