#pragma once
// How long something usually takes, from the last few times. Pure.
#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>

namespace troupe {

/// The second slowest of the last 32: deadlines go by what is slow of late, but one outlier is no habit. It may be that a clock
/// jumped, or that the process stood still.
class usual_time {
public:
  void add(double time) { times_[count_++ % times_.size()] = time; }
  bool is_known() const { return count_ > 0; }
  /// 0 when nothing is known.
  double value() const {
    auto sorted = times_;
    const size_t known = std::min(count_, sorted.size());
    if (known < 2) return sorted[0];
    std::nth_element(sorted.begin(), sorted.begin() + 1, sorted.begin() + std::ptrdiff_t(known), std::greater<>());
    return sorted[1];
  }

private:
  std::array<double, 32> times_{};
  size_t count_ = 0;
};

} // namespace troupe
