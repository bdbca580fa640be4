#pragma once
// What a step will take, from the durations of earlier ones. Pure.
#include <cstdint>

namespace troupe {

/// duration = step + decode_row * decode rows + prefill_row * all other rows, in nanoseconds.
///
/// The first two terms are a least-squares line through the steps without other rows, where a step counts half as much as the one 177
/// steps later. As long as such steps had nearly the same number of rows they cannot tell one term from the other: then half of the
/// duration is taken to be the rows'. prefill_row is what steps with such rows took beyond that line, for each of them. No step counts as longer
/// than four times what was expected: a clock may have jumped.
class step_times {
public:
  void add(uint64_t decode_rows, uint64_t other_rows, double ns);

  double decode_row() const { return decode_row_; }
  double prefill_row() const { return prefill_row_; }
  /// 0 while nothing is known.
  double of(double decode_rows, double other_rows) const {
    return step_ + decode_row_ * decode_rows + prefill_row_ * other_rows;
  }

private:
  void fit();

  uint64_t samples_ = 0;
  double step_ = 0, decode_row_ = 0, prefill_row_ = 0;
  double weight_ = 0, rows_ = 0, ns_ = 0, rows_rows_ = 0, rows_ns_ = 0; // Sums over the steps of decode rows only.
  double other_rows_ = 0, other_ns_ = 0;                                // Sums over the others.
};

} // namespace troupe
