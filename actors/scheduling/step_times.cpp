#include "actors/scheduling/step_times.hpp"

#include <algorithm>

namespace troupe {
namespace {

constexpr double kept = 1 - 1.0 / 256; // What a sum keeps when a step is added.
constexpr double expected_times_max = 4;
constexpr uint64_t samples_before = 8; // Before that nothing is expected.
constexpr double doubt = 0.01;         // How strongly half of the duration is taken to be the rows', as a variance of rows / mean.

} // namespace

void step_times::add(uint64_t decode_rows, uint64_t other_rows, double ns) {
  if (decode_rows + other_rows == 0) return;
  const auto d = double(decode_rows), p = double(other_rows);
  if (samples_ >= samples_before && of(d, p) > 0) ns = std::min(ns, expected_times_max * of(d, p));
  ++samples_;
  if (other_rows > 0) {
    other_rows_ = kept * other_rows_ + p;
    other_ns_ = kept * other_ns_ + std::max(0.0, ns - step_ - decode_row_ * d);
  } else {
    for (double* sum : {&weight_, &rows_, &ns_, &rows_rows_, &rows_ns_}) *sum *= kept;
    weight_ += 1;
    rows_ += d;
    ns_ += ns;
    rows_rows_ += d * d;
    rows_ns_ += d * ns;
  }
  fit();
}

void step_times::fit() {
  if (weight_ > 0) {
    const double rows = rows_ / weight_, ns = ns_ / weight_;
    const double variance = std::max(0.0, rows_rows_ / weight_ - rows * rows), covariance = rows_ns_ / weight_ - rows * ns;
    const double prior = doubt * rows * rows, at_most = ns / rows;
    decode_row_ = std::clamp((covariance + prior * at_most / 2) / (variance + prior), at_most / 64, at_most);
    step_ = ns - decode_row_ * rows;
  }
  prefill_row_ = other_rows_ > 0 ? other_ns_ / other_rows_ : decode_row_;
  if (weight_ == 0) decode_row_ = prefill_row_;
}

} // namespace troupe
