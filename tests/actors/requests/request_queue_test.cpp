// Goal: which waiting request is next follows the rules of request_queue.hpp.
#include "actors/requests/request_queue.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
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
    int32_t priority;
    uint64_t bytes, record, arrival;
  };
  std::vector<one> all;
  uint64_t arrivals = 0, taken = 0;

  std::vector<one>::iterator find(request_key key) {
    return std::find_if(all.begin(), all.end(), [&](const one& x) { return x.key == key; });
  }
  void add(request_key key, int32_t priority, uint64_t bytes, uint64_t record) {
    if (find(key) == all.end()) all.push_back({key, priority, bytes, record, ++arrivals});
  }
  std::optional<uint64_t> take() {
    if (all.empty()) return std::nullopt;
    const bool by_age = ++taken % 8 == 0;
    const auto next = std::min_element(all.begin(), all.end(), [&](const one& a, const one& b) {
      return by_age || a.priority == b.priority ? a.arrival < b.arrival : a.priority > b.priority;
    });
    return take_out(next);
  }
  std::optional<uint64_t> remove(request_key key) {
    const auto it = find(key);
    return it == all.end() ? std::nullopt : take_out(it);
  }
  std::optional<uint64_t> take_out(std::vector<one>::iterator which) {
    const auto record = which->record;
    all.erase(which);
    return record;
  }
  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const auto& x : all) sum += x.bytes;
    return sum;
  }
};

} // namespace

TEST_CASE("requests leave the queue in the order in which they came, those of higher priority before", "[request_queue]") {
  queue waiting;
  waiting.add({1, 1}, 0, 10, 11);
  waiting.add({2, 1}, 0, 10, 21);
  waiting.add({1, 2}, 3, 10, 12);
  waiting.add({1, 1}, 9, 10, 99); // It waits already.
  CHECK(waiting.size() == 3);
  CHECK(waiting.bytes() == 30);
  CHECK(take_all(waiting) == std::vector<uint64_t>{12, 11, 21});
  CHECK(waiting.empty());
  CHECK(waiting.bytes() == 0);
}

TEST_CASE("every eighth request that leaves the queue is the oldest, so that none waits for ever", "[request_queue]") {
  queue waiting;
  waiting.add({1, 0}, -5, 1, 0);
  for (uint64_t i = 1; i <= 20; ++i) waiting.add({1, i}, 1, 1, i);
  const auto taken = take_all(waiting);
  CHECK(std::vector(taken.begin(), taken.begin() + 9) == std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 0, 8});
}

TEST_CASE("a request that is cancelled while it waits leaves the queue, and all of a client when that ends", "[request_queue]") {
  queue waiting;
  for (const uint64_t client : {1, 2, 3})
    for (const uint64_t request : {1, 2}) waiting.add({client, request}, 0, 5, 10 * client + request);
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
      const auto priority = int32_t(bits.below(4)) - 1;
      switch (bits.below(8)) {
      case 0: REQUIRE(waiting.remove(key) == plain.remove(key)); break;
      case 1:
      case 2: REQUIRE(waiting.take() == plain.take()); break;
      case 3:
        if (bits.below(10) > 0) break;
        waiting.remove_all_of(key.client);
        std::erase_if(plain.all, [&](const auto& x) { return x.key.client == key.client; });
        break;
      default:
        waiting.add(key, priority, i, i);
        plain.add(key, priority, i, i);
      }
      REQUIRE(waiting.size() == plain.all.size());
      REQUIRE(waiting.bytes() == plain.bytes());
      REQUIRE(waiting.contains(key) == (plain.find(key) != plain.all.end()));
    }
  }
}

} // namespace troupe
