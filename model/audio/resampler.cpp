#include "model/audio/resampler.hpp"
#include "model/audio/sine.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe {
namespace {

constexpr double beta = 9; // Of Kaiser's window: what it lets through beside the band is below -90 dB.
constexpr uint32_t crossings = 64;
constexpr uint32_t phases_max = 512;
constexpr double band = 0.94; // The middle of the slope, of half the lower rate.

/// The modified Bessel function of order 0, by its series.
double bessel(double x) {
  double sum = 1, term = 1;
  for (int n = 1; n < 40; ++n) {
    term *= (x / (2 * n)) * (x / (2 * n));
    sum += term;
  }
  return sum;
}

/// At distance x from the middle, in samples of `from`, but for a common factor; cutoff: as a share of half of that rate; half: where the
/// window ends.
double coefficient(double x, double cutoff, double half) {
  if (std::abs(x) >= half) return 0;
  const double sinc = x == 0 ? cutoff : sine(pi * cutoff * x) / (pi * x);
  const double place = x / half;
  return sinc * bessel(beta * std::sqrt(1 - place * place));
}

} // namespace

resampler::resampler(uint32_t from, uint32_t to) {
  TROUPE_ASSERT(from > 0 && to > 0 && from <= 1 << 20 && to <= 1 << 20);
  const uint32_t common = std::gcd(from, to);
  up_ = to / common;
  down_ = from / common;
  const double cutoff = band * std::min(1.0, double(to) / from);
  half_ = uint32_t(std::ceil(crossings / cutoff));
  if (up_ == down_) return;
  phases_ = std::min(up_, phases_max);
  std::vector<double> phase_weights(2 * size_t(half_));
  table_.resize(uint64_t(phases_ + 1) * 2 * half_);
  for (uint32_t phase = 0; phase <= phases_; ++phase) {
    double sum = 0;
    for (uint32_t i = 0; i < phase_weights.size(); ++i) {
      phase_weights[i] = coefficient(double(i) + 1 - half_ - double(phase) / phases_, cutoff, half_);
      sum += phase_weights[i];
    }
    // A constant stays what it is.
    for (uint32_t i = 0; i < phase_weights.size(); ++i) table_[uint64_t(phase) * 2 * half_ + i] = float(phase_weights[i] / sum);
  }
}

/// Sample n of the result lies at n * down / up. Before and behind the sound there is silence.
void resampler::produce(uint64_t samples_known, std::vector<float>& out) {
  for (;; ++given_) {
    const auto at = int64_t(given_ * down_ / up_);
    if (uint64_t(at) >= taken_ || uint64_t(at) + half_ >= samples_known) break;
    // Between two phases where there are more than the table has; error: (pi / phases)^2 / 8 of a tone as high as any.
    const uint64_t place_of_phase = given_ * down_ % up_ * phases_;
    const float* weights = &table_[place_of_phase / up_ * 2 * half_];
    const float* next = weights + 2 * size_t(half_);
    const double share = double(place_of_phase % up_) / up_;
    const int64_t first = at + 1 - int64_t(half_); // Of the samples that count; kept_ begins there or before, or with the sound.
    double sum = 0;
    for (int64_t i = std::max<int64_t>(0, first_kept_ - first); i < 2 * int64_t(half_); ++i) {
      const int64_t place = first + i - first_kept_;
      if (place >= int64_t(kept_.size())) break;
      const double weight = share > 0 ? double(weights[i]) + share * (double(next[i]) - double(weights[i])) : double(weights[i]);
      sum += weight * double(kept_[size_t(place)]);
    }
    out.push_back(float(sum));
  }
  const int64_t needed = std::max<int64_t>(0, int64_t(given_ * down_ / up_) + 1 - int64_t(half_));
  const int64_t dropped = std::min<int64_t>(needed - first_kept_, int64_t(kept_.size()));
  if (dropped > 0) {
    kept_.erase(kept_.begin(), kept_.begin() + dropped);
    first_kept_ += dropped;
  }
}

void resampler::push(std::span<const float> samples, std::vector<float>& out) {
  if (up_ == down_) {
    out.insert(out.end(), samples.begin(), samples.end());
    return;
  }
  kept_.insert(kept_.end(), samples.begin(), samples.end());
  taken_ += samples.size();
  produce(taken_, out);
}

void resampler::finish(std::vector<float>& out) {
  if (up_ != down_) produce(taken_ + half_ + 1, out);
}

} // namespace troupe
