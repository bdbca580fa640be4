#include "actors/supervision/restart_window.hpp"

#include "model/error.hpp"

#include <algorithm>

namespace troupe {

std::uint32_t restart_window::record(restart_clock_point now) {
  TROUPE_ASSERT(restarts_.empty() || restarts_.back() <= now);
  restarts_.push_back(now);
  while (now - restarts_.front() >= period_ && restarts_.size() > 1)
    restarts_.pop_front();
  return static_cast<std::uint32_t>(restarts_.size());
}

std::chrono::nanoseconds restart_backoff(std::uint32_t nth, std::chrono::nanoseconds first,
                                         std::chrono::nanoseconds max) {
  TROUPE_ASSERT(nth >= 1);
  if (nth == 1 || first <= std::chrono::nanoseconds::zero())
    return std::chrono::nanoseconds::zero();
  auto wait = first;
  for (std::uint32_t i = 2; i < nth && wait < max; ++i)
    wait *= 2; // Stays below 2 * max: no overflow for any max a person would choose.
  return std::min(wait, max);
}

} // namespace troupe
