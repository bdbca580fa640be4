#include "actors/requests/logits_slice.hpp"

#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {

std::optional<slice_place> find_slice(const v1::StepPlan& plan, uint64_t sequence) {
  // Every sequence of a step looks for its own: over all of them the square of their number, so each loop is a plain one.
  const auto& ids = plan.sequence_ids();
  const int slice = int(std::find(ids.begin(), ids.end(), sequence) - ids.begin());
  if (slice == ids.size()) return std::nullopt;
  const auto before = [&](const auto& rows) { return std::accumulate(rows.begin(), rows.begin() + slice, uint64_t{0}); };
  slice_place place;
  place.position = plan.positions(slice);
  place.rows = plan.rows(slice);
  place.logits_rows = plan.logits_rows(slice);
  place.row = before(plan.rows());
  place.logits_row = before(plan.logits_rows());
  return place;
}

bool are_whole(const v1::LogitsResult& result, const slice_place& place) {
  const uint64_t end = place.logits_row + place.logits_rows;
  if (uint64_t(result.values_size()) < end * result.width() || uint64_t(result.row_sums_size()) < end) return false;
  for (uint32_t i = 0; i < place.logits_rows; ++i)
    if (sum_of_bits(logits_of(result, place, i)) != result.row_sums(int(place.logits_row + i))) return false;
  return true;
}

} // namespace troupe
