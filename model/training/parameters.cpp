#include "model/training/parameters.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {

parameter::parameter(tensor_slice what, std::vector<range> cut) : slice(what), pieces(std::move(cut)) {
  for (auto* values : {&value, &gradient, &first_moment, &second_moment}) values->assign(slice.size(), 0.0f);
}

double sum_of_squares(std::span<const float> values) {
  double sums[8] = {};
  for (size_t i = 0; i < values.size(); ++i) sums[i % 8] += double(values[i]) * double(values[i]);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

void append_squares(const parameter& one, std::vector<piece_square>& to) {
  for (const range piece : one.pieces) {
    const uint64_t first = uint64_t(piece.first - one.slice.rows.first) * one.slice.columns;
    const std::span<const float> values(one.gradient.data() + first, uint64_t(piece.count) * one.slice.columns);
    to.push_back({{one.slice.key, piece, one.slice.columns}, sum_of_squares(values)});
  }
}

double norm_of(std::vector<piece_square>& squares) {
  std::ranges::sort(squares, {}, &piece_square::piece);
  double sum = 0;
  for (const piece_square& one : squares) sum += one.sum;
  return std::sqrt(sum);
}

void load_values(parameter& one, std::span<const float> whole) {
  const uint64_t first = uint64_t(one.slice.rows.first) * one.slice.columns;
  TROUPE_ASSERT(first + one.value.size() <= whole.size());
  std::ranges::copy(whole.subspan(first, one.value.size()), one.value.begin());
}

void zero_gradients(parameter& one) { std::ranges::fill(one.gradient, 0.0f); }

void update(parameter& one, const adam_step& step, float smoothing_kept) {
  if (smoothing_kept > 0 && one.smoothed.empty()) one.smoothed = one.value;
  adam(step, one.value, one.first_moment, one.second_moment, one.gradient, one.decays());
  zero_gradients(one);
  if (smoothing_kept > 0)
    for (size_t i = 0; i < one.value.size(); ++i)
      one.smoothed[i] = smoothing_kept * one.smoothed[i] + (1 - smoothing_kept) * one.value[i];
}

} // namespace troupe
