#pragma once
// Requests that wait until a sequence can be started for them: which is next, which is too late, and what is known of each. Pure code:
// no actor, clock or message.
#include "actors/interfaces/tenant_weight.hpp"
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace troupe {

/// The client that asked, and its own number of the request.
struct request_key {
  uint64_t client = 0, request = 0;
  auto operator<=>(const request_key&) const = default;
};

/// What decides about a request that waits.
struct waiting_request {
  int32_t priority = 0;
  std::string tenant = {};
  double weight = 1;       // Of the tenant.
  uint64_t work = 1;       // In rows, as far as can be known: those of its prompt and of what may be generated.
  uint64_t bytes = 0;      // That are kept for it.
  int64_t deadline_ns = 0; // 0: none.
};

/// Order: the highest priority goes first. Among equals tenants take turns by start-time fair queueing (Goyal, Vin, Cheng 1996): a
/// request's start tag is the larger of the queue's virtual time and the end tag of its tenant's request before; its end tag is that plus
/// work / weight; the smallest start tag goes first, then the one that came first; the virtual time is the start tag of the one that was
/// taken last. So one tenant's requests go in the order in which they came, and a tenant with many does not keep another waiting. Every
/// eighth goes to the one that came first of all, whatever its priority and tenant, so that none waits for ever.
/// Cost: O(log n) for each request that an operation is about.
/// `Record`: what a request is started from.
template <class Record>
class request_queue {
public:
  static constexpr uint64_t oldest_every = 8;

  /// A request that waits already: ignored.
  void add(request_key key, const waiting_request& facts, Record record) {
    if (waiting_.contains(key)) return;
    forget_tenants();
    double& end = ends_[facts.tenant];
    const double start = std::max(time_, end);
    end = start + double(facts.work) / std::clamp<double>(facts.weight, tenant_weight_min, tenant_weight_max);
    const turn at{-int64_t(facts.priority), start, ++arrivals_};
    const auto it = waiting_.emplace(key, one{at, facts.bytes, facts.deadline_ns, std::move(record)}).first;
    by_turn_.emplace(at, it);
    by_arrival_.emplace(at.arrival, it);
    if (facts.deadline_ns != 0) by_deadline_.emplace(facts.deadline_ns, key);
    bytes_ += facts.bytes;
  }

  /// Takes out the next. Nothing: none waits.
  std::optional<Record> take() {
    if (waiting_.empty()) return std::nullopt;
    const auto next = ++taken_ % oldest_every == 0 ? by_arrival_.begin()->second : by_turn_.begin()->second;
    time_ = std::max(time_, next->second.at.start);
    return take_out(next);
  }

  /// Takes out one whose deadline is not later than `now_ns`. Nothing: there is none.
  std::optional<Record> take_late(int64_t now_ns) {
    if (by_deadline_.empty() || by_deadline_.begin()->first > now_ns) return std::nullopt;
    return take_out(waiting_.find(by_deadline_.begin()->second));
  }
  /// The first deadline of all that wait.
  std::optional<int64_t> next_deadline_ns() const {
    if (by_deadline_.empty()) return std::nullopt;
    return by_deadline_.begin()->first;
  }

  /// Nothing: it does not wait.
  std::optional<Record> remove(request_key key) {
    const auto it = waiting_.find(key);
    if (it == waiting_.end()) return std::nullopt;
    return take_out(it);
  }

  void remove_all_of(uint64_t client) {
    for (auto it = waiting_.lower_bound({client, 0}); it != waiting_.end() && it->first.client == client;) take_out(it++);
  }

  bool contains(request_key key) const { return waiting_.contains(key); }
  bool empty() const { return waiting_.empty(); }
  uint64_t size() const { return waiting_.size(); }
  uint64_t bytes() const { return bytes_; } // Of all, as given.
  uint64_t tenants() const { return ends_.size(); } // Whose tags are kept.

private:
  struct turn {
    int64_t rank; // Negated priority.
    double start;
    uint64_t arrival;
    auto operator<=>(const turn&) const = default;
  };
  struct one {
    turn at;
    uint64_t bytes;
    int64_t deadline_ns;
    Record record;
  };
  using place = typename std::map<request_key, one>::iterator;

  Record take_out(place which) {
    auto record = std::move(which->second.record);
    by_turn_.erase(which->second.at);
    by_arrival_.erase(which->second.at.arrival);
    by_deadline_.erase({which->second.deadline_ns, which->first});
    bytes_ -= which->second.bytes;
    waiting_.erase(which);
    if (waiting_.empty()) { // Who comes next begins anew, as behind the last end tag.
      ends_.clear();
      time_ = 0;
    }
    return record;
  }

  /// An end tag that the virtual time has passed decides nothing. Looked for when there are twice as many as after the last time.
  void forget_tenants() {
    if (ends_.size() < tenants_max_) return;
    std::erase_if(ends_, [&](const auto& tenant) { return tenant.second <= time_; });
    tenants_max_ = std::max<size_t>(16, 2 * ends_.size());
  }

  std::map<request_key, one> waiting_;
  std::map<turn, place> by_turn_;
  std::map<uint64_t, place> by_arrival_;
  std::set<std::pair<int64_t, request_key>> by_deadline_;
  std::map<std::string, double> ends_; // By tenant.
  double time_ = 0;                    // The virtual time.
  size_t tenants_max_ = 16;
  uint64_t arrivals_ = 0, taken_ = 0, bytes_ = 0;
};

} // namespace troupe
