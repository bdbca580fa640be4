#pragma once
// How much longer a step may take for the sake of rows that come second. Pure.
#include <algorithm>
#include <cstdint>
#include <limits>

namespace troupe {

/// In the long run first rows take `slowdown` times as long as alone: of the time that they take the allowance for second rows grows by
/// (slowdown - 1) times that, and what second rows are expected to take comes off it. It is not saved for later: it never exceeds what
/// one step brings. It may be overdrawn, by a slice that cannot be cut or by a step that was under way when the first rows came; then
/// second rows are left out until it has grown again, but never from more than left_out_max steps in a row.
class time_allowance {
public:
  static constexpr uint32_t left_out_max = 64;

  /// slowdown: not above 1: second rows are not limited.
  explicit time_allowance(double slowdown = 0) : slowdown_(slowdown) {}

  /// The first rows of a step take this long, and second ones are about to be added. waited_ns: the first rows had to wait for so long,
  /// because the second ones were already running.
  void grow(double first_ns, double waited_ns) {
    const double by = std::max(0.0, (slowdown_ - 1) * first_ns);
    left_ns_ = std::clamp(left_ns_ + by - waited_ns, -double(left_out_max) * by, by);
    first_ns_ = first_ns;
  }
  /// They were left out for so long that one slice is to be added, of as much time as the first rows of the step before take.
  bool is_due() const { return left_out_ >= left_out_max && !served_; }
  bool allows() const { return slowdown_ <= 1 || left_ns_ >= 0 || is_due(); }
  /// How many rows of this duration may be added, at least one.
  uint32_t rows(double row_ns) const {
    if (slowdown_ <= 1 || row_ns <= 0) return std::numeric_limits<uint32_t>::max();
    return uint32_t(std::clamp((is_due() ? first_ns_ : left_ns_) / row_ns, 1.0, 1e9));
  }
  void spend(double ns) {
    left_ns_ -= ns;
    served_ = true;
  }
  /// The step is formed. were_ready: there were second rows.
  void end_step(bool were_ready) {
    left_out_ = were_ready && !served_ ? left_out_ + 1 : 0;
    served_ = false;
  }

private:
  double slowdown_ = 0, left_ns_ = 0, first_ns_ = 0;
  uint32_t left_out_ = 0;
  bool served_ = false; // Some have been added to this step.
};

} // namespace troupe
