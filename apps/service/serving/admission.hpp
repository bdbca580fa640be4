#pragma once
// Whether a request is taken on. Pure: no clock, no message.
#include "actors/requests/waiting_time.hpp"
#include <algorithm>
#include <cstdint>

namespace troupe::service {

struct admission_limits {
  uint32_t running_max = 256;         // Sequences that run at once; others wait.
  uint32_t waiting_max = 4096;        // That may wait, however quickly they go.
  uint64_t waiting_bytes_max = 64 << 20; // Of the texts of all that are under way.
};

/// Counts what is under way with one model, and predicts how long one more would wait: from the times between ends while others waited.
class admission {
public:
  explicit admission(admission_limits limits) : limits_(limits) {}

  struct verdict {
    bool is_admitted = true;
    uint32_t retry_after_ms = 0; // Else: when there will probably be room.
  };
  /// For a request of so many sequences and bytes, that will not wait longer than queue_ms_max.
  verdict ask(uint32_t sequences, uint64_t bytes, double queue_ms_max) const {
    const uint64_t ahead = running_ + sequences > limits_.running_max ? running_ + sequences - limits_.running_max : 0;
    if (ahead == 0 && bytes_ + bytes <= limits_.waiting_bytes_max) return {};
    const double wait_ms = ends_.predicted_ns(ahead).value_or(0) / 1e6;
    const bool has_room = ahead <= limits_.waiting_max && bytes_ + bytes <= limits_.waiting_bytes_max;
    if (has_room && wait_ms <= queue_ms_max) return {};
    const double later = has_room ? wait_ms - queue_ms_max : ends_.predicted_ns(0).value_or(1e9) / 1e6;
    return {false, uint32_t(std::clamp(later, 10.0, 60e3))};
  }
  void begun(uint32_t sequences, uint64_t bytes) {
    running_ += sequences;
    bytes_ += bytes;
  }
  void ended(uint32_t sequences, uint64_t bytes, int64_t now_ns) {
    for (uint32_t i = 0; i < sequences; ++i) ends_.started(now_ns, running_ - i > limits_.running_max);
    running_ -= sequences;
    bytes_ -= bytes;
  }

private:
  admission_limits limits_;
  waiting_time ends_;
  uint64_t running_ = 0, bytes_ = 0;
};

} // namespace troupe::service
