#pragma once
// Counts restarts. Pure: the time comes in as an argument, so that tests and simulations decide what time it
// is.
#include <chrono>
#include <cstdint>
#include <deque>

namespace troupe {

using restart_clock_point = std::chrono::steady_clock::time_point;

/// The restarts of the last `period`. A supervisor has one for all its children together, to decide when there
/// were too many, and one for each child, to decide how long that child waits.
class restart_window {
public:
  explicit restart_window(std::chrono::nanoseconds period) : period_(period) {}

  /// Adds a restart at `now`, which must not go backwards, and returns how many there were in (now - period,
  /// now], this one included: at least 1. Those further back are forgotten.
  std::uint32_t record(restart_clock_point now);

private:
  std::chrono::nanoseconds period_;
  std::deque<restart_clock_point> restarts_; // Oldest first.
};

/// How long a child waits for its `nth` restart within the period, counted from 1: not at all the first time,
/// `first` the second time, then twice as long each time, but never longer than `max`.
std::chrono::nanoseconds restart_backoff(std::uint32_t nth, std::chrono::nanoseconds first,
                                         std::chrono::nanoseconds max);

} // namespace troupe
