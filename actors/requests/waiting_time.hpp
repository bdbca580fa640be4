#pragma once
// How long a request will wait, from how quickly those before it were started. Pure.
#include <algorithm>
#include <cstdint>
#include <optional>

namespace troupe {

/// The mean time between two starts while requests waited, newer ones counting more (1/8 each).
class waiting_time {
public:
  /// One that waited was started. `others_wait`: so that the time to the next start tells how quickly room is made.
  void started(int64_t now_ns, bool others_wait) {
    if (last_ns_) {
      const double took = double(std::max<int64_t>(0, now_ns - *last_ns_));
      mean_ns_ = mean_ns_ ? *mean_ns_ + (took - *mean_ns_) / 8 : took;
    }
    last_ns_ = others_wait ? std::optional(now_ns) : std::nullopt;
  }
  /// Until the one with so many before it is started. Nothing: not known yet.
  std::optional<double> predicted_ns(uint64_t before) const {
    return mean_ns_ ? std::optional(*mean_ns_ * double(before + 1)) : std::nullopt;
  }

private:
  std::optional<int64_t> last_ns_;
  std::optional<double> mean_ns_;
};

} // namespace troupe
