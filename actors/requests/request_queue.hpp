#pragma once
// Requests that wait until a sequence can be started for them: which is next, and what is known of each. Pure code: no actor, clock
// or message.
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace troupe {

/// The client that asked, and its own number of the request.
struct request_key {
  uint64_t client = 0, request = 0;
  auto operator<=>(const request_key&) const = default;
};

/// Order: the highest priority goes first, then the one that came first. Every eighth goes to the one that came first of all,
/// whatever its priority, so that none waits for ever.
/// Cost: O(log n) for each request that an operation is about.
/// `Record`: what a request is started from.
template <class Record>
class request_queue {
public:
  static constexpr uint64_t oldest_every = 8;

  /// A request that waits already: ignored.
  void add(request_key key, int32_t priority, uint64_t bytes, Record record) {
    const auto [it, is_new] = waiting_.try_emplace(key, one{{-int64_t(priority), arrivals_ + 1}, bytes, std::move(record)});
    if (!is_new) return;
    ++arrivals_;
    by_turn_.emplace(it->second.at, it);
    by_arrival_.emplace(it->second.at.second, it);
    bytes_ += bytes;
  }

  /// Takes out the next. Nothing: none waits.
  std::optional<Record> take() {
    if (waiting_.empty()) return std::nullopt;
    return take_out(++taken_ % oldest_every == 0 ? by_arrival_.begin()->second : by_turn_.begin()->second);
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

private:
  using turn = std::pair<int64_t, uint64_t>; // Negated priority, arrival.
  struct one {
    turn at;
    uint64_t bytes;
    Record record;
  };
  using place = typename std::map<request_key, one>::iterator;

  Record take_out(place which) {
    auto record = std::move(which->second.record);
    by_turn_.erase(which->second.at);
    by_arrival_.erase(which->second.at.second);
    bytes_ -= which->second.bytes;
    waiting_.erase(which);
    return record;
  }

  std::map<request_key, one> waiting_;
  std::map<turn, place> by_turn_;
  std::map<uint64_t, place> by_arrival_;
  uint64_t arrivals_ = 0, taken_ = 0, bytes_ = 0;
};

} // namespace troupe
