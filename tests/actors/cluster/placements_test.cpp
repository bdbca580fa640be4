#include "actors/cluster/placements.hpp"

#include "tests/support/catch.hpp"

#include <algorithm>
#include <map>
#include <random>

namespace troupe {
namespace {

constexpr int64_t second = 1'000'000'000;

placements_config config(uint32_t layers, uint32_t segments, uint32_t encoder_layers = 0) {
  return {.layers = layers, .encoder_layers = encoder_layers, .segments = segments, .start_patience_ns = 10 * second,
          .return_patience_ns = 5 * second};
}

std::vector<std::string> workers_of(const placements& of) {
  std::vector<std::string> names;
  for (const auto& one : of.segments()) names.push_back(one.worker);
  return names;
}

using names = std::vector<std::string>;

} // namespace

TEST_CASE("layers are cut once all workers are there, in proportion to their threads") {
  placements place(config(12, 2));
  place.worker_ready("a", 1, 0);
  CHECK(place.decide(second).empty());
  place.worker_ready("b", 3, 2 * second);
  const auto& segments = place.decide(2 * second);
  REQUIRE(segments.size() == 2);
  CHECK(segments[0] == segment_place{false, 0, {0, 3}, "a"});
  CHECK(segments[1] == segment_place{false, 1, {3, 9}, "b"});
}

TEST_CASE("a worker that does not come is not waited for longer than the patience") {
  placements place(config(12, 2));
  place.worker_ready("a", 1, second);
  CHECK(place.decide(10 * second).empty());
  place.decide(11 * second);
  CHECK(workers_of(place) == names{"a", "a"});
  SECTION("when it comes after all, it takes a segment") {
    place.worker_ready("b", 1, 20 * second);
    place.decide(20 * second);
    CHECK(std::ranges::count(workers_of(place), "b") == 1);
  }
}

TEST_CASE("a spare takes over at once, and who comes back is the spare") {
  placements place(config(12, 2));
  for (const char* name : {"a", "b", "c"}) place.worker_ready(name, 1, 0);
  place.decide(0);
  CHECK(place.spares() == names{"c"});
  place.worker_lost("a", second);
  place.decide(second);
  CHECK(workers_of(place) == names{"c", "b"});
  place.worker_ready("a", 1, 2 * second);
  place.decide(2 * second);
  CHECK(workers_of(place) == names{"c", "b"});
  CHECK(place.spares() == names{"a"});
}

TEST_CASE("without a spare a lost worker may come back before others take its layers on top of theirs") {
  placements place(config(12, 2));
  place.worker_ready("a", 1, 0);
  place.worker_ready("b", 1, 0);
  place.decide(0);
  place.worker_lost("a", second);
  place.decide(5 * second);
  CHECK(workers_of(place) == names{"a", "b"});
  SECTION("it comes back") {
    place.worker_ready("a", 1, 5 * second);
    place.decide(60 * second);
    CHECK(workers_of(place) == names{"a", "b"});
  }
  SECTION("it does not; and when it does later, it has a segment again") {
    place.decide(6 * second);
    CHECK(workers_of(place) == names{"b", "b"});
    place.worker_ready("a", 1, 7 * second);
    place.decide(7 * second);
    CHECK(std::ranges::count(workers_of(place), "a") == 1);
  }
}

TEST_CASE("a drained worker loses its layers at once and gets none until that is undone") {
  placements place(config(12, 2));
  place.worker_ready("a", 1, 0);
  place.worker_ready("b", 1, 0);
  place.decide(0);
  place.drain("b", true);
  place.decide(1);
  CHECK(workers_of(place) == names{"a", "a"});
  place.drain("b", false);
  place.decide(2);
  CHECK(std::ranges::count(workers_of(place), "b") == 1);
}

TEST_CASE("where nobody is left to compute, layers stay where they were until somebody comes") {
  placements place(config(12, 1));
  place.worker_ready("a", 1, 0);
  place.decide(0);
  place.drain("a", true);
  place.decide(1);
  place.worker_lost("a", 2);
  place.decide(100 * second);
  place.worker_ready("b", 1, 200 * second);
  place.decide(200 * second);
  CHECK(workers_of(place) == names{"b"});
}

TEST_CASE("an encoder's layers are cut as the decoder's are, and both parts stay with one worker") {
  placements place(config(6, 2, 4));
  place.worker_ready("a", 1, 0);
  place.worker_ready("b", 1, 0);
  place.decide(0);
  CHECK(workers_of(place) == names{"a", "b", "a", "b"});
  place.worker_ready("c", 1, 1);
  place.worker_lost("b", 2);
  place.decide(3);
  CHECK(workers_of(place) == names{"a", "c", "a", "c"});
}

TEST_CASE("whatever happens to workers, each layer is in one segment, and on a worker that can compute if there has been time") {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    std::mt19937 random(seed);
    const uint32_t layers = 1 + random() % 20, wanted = 1 + random() % 5, workers = 1 + random() % 6;
    placements place(config(layers, usable_segments(wanted, config(layers, wanted))));
    std::map<std::string, bool> ready, drained;
    int64_t now = 0;
    for (int i = 0; i < 60; ++i) {
      const std::string name(1, char('a' + random() % workers));
      now += int64_t(random() % 3) * second;
      switch (random() % 4) {
      case 0:
      case 1: place.worker_ready(name, 1 + random() % 4, now), ready[name] = true; break;
      case 2: place.worker_lost(name, now), ready[name] = false; break;
      default: place.drain(name, drained[name] = random() % 2 == 0); break;
      }
      place.decide(now);
      uint32_t next = 0;
      for (const auto& one : place.segments()) {
        REQUIRE(one.layers.first == next);
        REQUIRE(one.layers.count > 0);
        next += one.layers.count;
      }
      REQUIRE((place.segments().empty() || next == layers));
    }
    now += 100 * second;
    place.decide(now);
    const bool any = std::ranges::any_of(ready, [&](const auto& one) { return one.second && !drained[one.first]; });
    if (any && !place.segments().empty())
      for (const auto& one : place.segments()) REQUIRE((ready[one.worker] && !drained[one.worker]));
  }
}

} // namespace troupe
