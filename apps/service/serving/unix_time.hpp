#pragma once
// The time of day, as the APIs give it.
#include <chrono>
#include <cstdint>

namespace troupe::service {

/// Seconds.
inline int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace troupe::service
