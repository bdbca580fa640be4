#pragma once
// An estimate of how long something takes, from the last few durations. Pure.
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

namespace troupe {

/// The second slowest of the last 32: deadlines are derived from what was slow recently, but a single outlier is ignored, since a
/// clock may have jumped, or the process may have been suspended.
class duration_estimate {
public:
  void add(double duration) { durations_[count_++ % durations_.size()] = duration; }
  bool is_known() const { return count_ > 0; }
  /// 0 when nothing is known.
  double value() const {
    auto sorted = durations_;
    const size_t known = std::min(count_, sorted.size());
    if (known < 2) return sorted[0];
    std::nth_element(sorted.begin(), sorted.begin() + 1, sorted.begin() + std::ptrdiff_t(known), std::greater<>());
    return sorted[1];
  }

private:
  std::array<double, 32> durations_{};
  size_t count_ = 0;
};

} // namespace troupe
