#pragma once
// Whether a request is taken on. Pure: no clock, no message.
#include "actors/requests/waiting_time.hpp"
#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

namespace troupe::service {

struct admission_limits {
  uint32_t running_max = 256;            // Sequences that run at once.
  uint32_t waiting_max = 4096;           // That may be under way beside them, however quickly they go.
  uint64_t waiting_bytes_max = 64 << 20; // Of the bodies of all that are under way.
};

/// Counts what waits for its first token with one model, by tenant, and predicts how long one more would wait for it: from the times
/// between first tokens while others waited. Tenants share by their weights, so one that has few sequences waits for its share only,
/// however many the others have.
class admission {
public:
  explicit admission(admission_limits limits) : limits_(limits) {}

  struct verdict {
    bool is_admitted = true;
    uint32_t retry_after_ms = 0; // Else: when there will probably be room.
  };
  /// No request may have more.
  uint64_t bytes_max() const { return limits_.waiting_bytes_max; }
  /// For a request of so many sequences and bytes, whose first token must not take longer than queue_ms_max.
  verdict ask(const std::string& tenant, double weight, uint32_t sequences, uint64_t bytes, double queue_ms_max) const {
    const bool has_room =
      running_ + sequences <= uint64_t(limits_.running_max) + limits_.waiting_max && bytes_ + bytes <= limits_.waiting_bytes_max;
    if (has_room && waiting_ == 0) return {};
    const double wait_ms = starts_.predicted_ns(ahead(tenant, weight)).value_or(0) / 1e6;
    if (has_room && wait_ms <= queue_ms_max) return {};
    const double later = has_room ? wait_ms - queue_ms_max : starts_.predicted_ns(0).value_or(1e9) / 1e6;
    return {false, uint32_t(std::clamp(later, 10.0, 60e3))};
  }
  /// not_started: those without a token. A request that was restored may have had some in an earlier process.
  void begun(const std::string& tenant, double weight, uint32_t sequences, uint32_t not_started, uint64_t bytes) {
    running_ += sequences;
    bytes_ += bytes;
    if (not_started == 0) return;
    waiting_ += not_started;
    auto& own = tenants_[tenant];
    own.waiting += not_started;
    own.weight = weight;
  }
  /// A sequence has its first token.
  void started(const std::string& tenant, int64_t now_ns) {
    starts_.started(now_ns, waiting_ > 1);
    waits_no_more(tenant, 1);
  }
  /// A request has ended, so many of whose sequences without any token: whatever ended these, it does not say how quickly others go.
  void ended(const std::string& tenant, uint32_t sequences, uint32_t not_started, uint64_t bytes) {
    waits_no_more(tenant, not_started);
    running_ -= sequences;
    bytes_ -= bytes;
  }

private:
  struct tenant_waiting {
    uint64_t waiting = 0;
    double weight = 1;
  };

  /// How many first tokens of others come before that of one more sequence of this tenant.
  uint64_t ahead(const std::string& tenant, double weight) const {
    double weights = weight, own = 0;
    for (const auto& [name, one] : tenants_)
      if (name == tenant) own = double(one.waiting);
      else weights += one.weight;
    return uint64_t(std::min(double(waiting_), (own + 1) * weights / weight));
  }
  void waits_no_more(const std::string& tenant, uint32_t sequences) {
    if (sequences == 0) return;
    waiting_ -= sequences;
    const auto own = tenants_.find(tenant);
    own->second.waiting -= sequences;
    if (own->second.waiting == 0) tenants_.erase(own);
  }

  admission_limits limits_;
  waiting_time starts_;
  uint64_t running_ = 0, waiting_ = 0, bytes_ = 0;
  std::map<std::string, tenant_waiting> tenants_; // Those that have sequences without a token.
};

} // namespace troupe::service
