#include "actors/requests/logits_slice.hpp"

#include "model/kernels/rowwise.hpp"

namespace troupe {

std::optional<slice_place> find_slice(const v1::StepPlan& plan, uint64_t sequence) {
  slice_place place;
  for (int i = 0; i < plan.sequence_ids_size(); ++i) {
    place.position = plan.positions(i);
    place.rows = plan.rows(i);
    place.logits_rows = plan.logits_rows(i);
    if (plan.sequence_ids(i) == sequence) return place;
    place.row += place.rows;
    place.logits_row += place.logits_rows;
  }
  return std::nullopt;
}

bool are_whole(const v1::LogitsResult& result, const slice_place& place) {
  const uint64_t end = place.logits_row + place.logits_rows;
  if (uint64_t(result.values_size()) < end * result.width() || uint64_t(result.row_sums_size()) < end) return false;
  for (uint32_t i = 0; i < place.logits_rows; ++i)
    if (sum_of_bits(logits_of(result, place, i)) != result.row_sums(int(place.logits_row + i))) return false;
  return true;
}

} // namespace troupe
