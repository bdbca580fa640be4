// Goal: which waiting request is next follows the rules of request_queue.hpp.
#include "actors/requests/request_queue.hpp"
#include "actors/requests/waiting_time.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace troupe {
namespace {

using queue = request_queue<uint64_t>; // The record: a number of its own.

std::vector<uint64_t> take_all(queue& from) {
  std::vector<uint64_t> taken;
  while (const auto record = from.take()) taken.push_back(*record);
  return taken;
}

/// The rules once more: looks through all of them for each answer.
struct plain_queue {
  struct one {
    request_key key;
    waiting_request facts;
    uint64_t record, arrival;
    double start;
  };
  std::vector<one> all;
  std::map<std::string, double> ends;
  double time = 0;
  uint64_t arrivals = 0, taken = 0;

  std::vector<one>::iterator find(request_key key) {
    return std::find_if(all.begin(), all.end(), [&](const one& x) { return x.key == key; });
  }
  void add(request_key key, const waiting_request& facts, uint64_t record) {
    if (find(key) != all.end()) return;
    const double start = std::max(time, ends[facts.tenant]);
    ends[facts.tenant] = start + double(facts.work) / facts.weight;
    all.push_back({key, facts, record, ++arrivals, start});
  }
  std::optional<uint64_t> take() {
    if (all.empty()) return std::nullopt;
    const bool by_age = ++taken % 8 == 0;
    const auto next = std::min_element(all.begin(), all.end(), [&](const one& a, const one& b) {
      if (by_age) return a.arrival < b.arrival;
      return std::tuple(-a.facts.priority, a.start, a.arrival) < std::tuple(-b.facts.priority, b.start, b.arrival);
    });
    time = std::max(time, next->start);
    return take_out(next);
  }
  std::optional<uint64_t> take_late(int64_t now) {
    const auto next = std::min_element(all.begin(), all.end(), [](const one& a, const one& b) { return limit(a) < limit(b); });
    return next == all.end() || limit(*next).first > now ? std::nullopt : take_out(next);
  }
  static std::pair<int64_t, request_key> limit(const one& x) {
    return {x.facts.deadline_ns == 0 ? INT64_MAX : x.facts.deadline_ns, x.key};
  }
  std::optional<uint64_t> remove(request_key key) {
    const auto it = find(key);
    return it == all.end() ? std::nullopt : take_out(it);
  }
  std::optional<uint64_t> take_out(std::vector<one>::iterator which) {
    const auto record = which->record;
    all.erase(which);
    if (all.empty()) begin_anew();
    return record;
  }
  void begin_anew() {
    ends.clear();
    time = 0;
  }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& x : all) sum += x.facts.bytes;
    return sum;
  }
};

} // namespace

TEST_CASE("requests leave the queue in the order in which they came, those of higher priority before", "[request_queue]") {
  queue waiting;
  waiting.add({1, 1}, {.bytes = 10}, 11);
  waiting.add({2, 1}, {.bytes = 10}, 21);
  waiting.add({1, 2}, {.priority = 3, .bytes = 10}, 12);
  waiting.add({1, 1}, {.priority = 9, .bytes = 10}, 99); // It waits already.
  CHECK(waiting.size() == 3);
  CHECK(waiting.bytes() == 30);
  CHECK(take_all(waiting) == std::vector<uint64_t>{12, 11, 21});
  CHECK(waiting.empty());
  CHECK(waiting.bytes() == 0);
}

TEST_CASE("tenants that wait take turns by their weights, whoever has more requests", "[request_queue]") {
  queue waiting;
  for (uint64_t i = 0; i < 100; ++i) waiting.add({1, i}, {.tenant = "many", .work = 10}, 1);
  for (uint64_t i = 0; i < 30; ++i) waiting.add({2, i}, {.tenant = "few", .weight = 2, .work = 10}, 2);
  std::array<int, 3> taken{};
  for (int i = 0; i < 30; ++i) ++taken[*waiting.take()];
  CHECK(taken[2] >= 17); // Two of three, but for those that are the oldest of all.
  CHECK(taken[2] <= 21);
}

TEST_CASE("a tenant that was idle has not saved up turns, and its tags are forgotten", "[request_queue]") {
  queue waiting;
  for (uint64_t i = 0; i < 1000; ++i) {
    waiting.add({1, i}, {.tenant = "tenant " + std::to_string(i), .work = 10}, i);
    REQUIRE(waiting.take() == i);
    REQUIRE(waiting.tenants() == 0);
  }
  for (uint64_t i = 0; i < 10; ++i) waiting.add({1, i}, {.tenant = "busy", .work = 10}, 1);
  for (int i = 0; i < 5; ++i) waiting.take();
  for (uint64_t i = 0; i < 10; ++i) waiting.add({2, i}, {.tenant = "idle", .work = 10}, 2);
  std::array<int, 3> taken{};
  for (int i = 0; i < 8; ++i) ++taken[*waiting.take()];
  CHECK(taken[1] >= 3);
}

TEST_CASE("a request that is too late leaves the queue first, and only then", "[request_queue]") {
  queue waiting;
  waiting.add({1, 1}, {.deadline_ns = 30}, 1);
  waiting.add({1, 2}, {.deadline_ns = 20}, 2);
  waiting.add({1, 3}, {}, 3);
  CHECK(waiting.next_deadline_ns() == 20);
  CHECK_FALSE(waiting.take_late(19));
  CHECK(waiting.take_late(30) == 2u);
  CHECK(waiting.take_late(30) == 1u);
  CHECK_FALSE(waiting.take_late(INT64_MAX));
  CHECK_FALSE(waiting.next_deadline_ns());
  CHECK(take_all(waiting) == std::vector<uint64_t>{3});
}

TEST_CASE("waiting is predicted from the time between starts while others waited", "[request_queue]") {
  waiting_time starts;
  CHECK_FALSE(starts.predicted_ns(0));
  starts.started(1000, false); // Nobody waited: it says nothing about the next.
  starts.started(900000, true);
  CHECK_FALSE(starts.predicted_ns(0));
  starts.started(900100, true);
  CHECK(starts.predicted_ns(0) == 100.0);
  CHECK(starts.predicted_ns(4) == 500.0);
  starts.started(900900, true);
  CHECK(starts.predicted_ns(0) == 187.5);
}

TEST_CASE("every eighth request that leaves the queue is the oldest, so that none waits for ever", "[request_queue]") {
  queue waiting;
  waiting.add({1, 0}, {.priority = -5}, 0);
  for (uint64_t i = 1; i <= 20; ++i) waiting.add({1, i}, {.priority = 1}, i);
  const auto taken = take_all(waiting);
  CHECK(std::vector(taken.begin(), taken.begin() + 9) == std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 0, 8});
}

TEST_CASE("a request that is cancelled while it waits leaves the queue, and all of a client when that ends", "[request_queue]") {
  queue waiting;
  for (const uint64_t client : {1, 2, 3})
    for (const uint64_t request : {1, 2}) waiting.add({client, request}, {.bytes = 5}, 10 * client + request);
  CHECK(waiting.remove({2, 1}) == 21u);
  CHECK_FALSE(waiting.remove({2, 1}));
  waiting.remove_all_of(1);
  waiting.remove_all_of(7);
  CHECK(waiting.bytes() == 15);
  CHECK(take_all(waiting) == std::vector<uint64_t>{22, 31, 32});
}

TEST_CASE("the queue gives what looking through all waiting requests gives", "[request_queue]") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    testing::raw_bits bits{seed};
    queue waiting;
    plain_queue plain;
    for (uint64_t i = 0; i < 400; ++i) {
      const request_key key{bits.below(4), bits.below(30)};
      waiting_request facts{.priority = int32_t(bits.below(3)) - 1, .bytes = i};
      facts.tenant = std::string(bits.below(3), 't');
      facts.weight = 0.5 * double(1 + facts.tenant.size());
      facts.work = bits.below(100);
      facts.deadline_ns = bits.below(2) == 0 ? 0 : int64_t(1 + bits.below(1000));
      switch (bits.below(9)) {
      case 0: REQUIRE(waiting.remove(key) == plain.remove(key)); break;
      case 1:
      case 2: REQUIRE(waiting.take() == plain.take()); break;
      case 3:
        if (bits.below(10) > 0) break;
        waiting.remove_all_of(key.client);
        std::erase_if(plain.all, [&](const auto& x) { return x.key.client == key.client; });
        break;
      default:
        waiting.add(key, facts, i);
        plain.add(key, facts, i);
        break;
      case 8: {
        const auto now = int64_t(bits.below(1000));
        REQUIRE(waiting.take_late(now) == plain.take_late(now));
      }
      }
      if (plain.all.empty()) plain.begin_anew();
      REQUIRE(waiting.size() == plain.all.size());
      REQUIRE(waiting.bytes() == plain.bytes());
      REQUIRE(waiting.contains(key) == (plain.find(key) != plain.all.end()));
    }
  }
}

} // namespace troupe
