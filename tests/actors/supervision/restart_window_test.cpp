#include "actors/supervision/restart_window.hpp"

#include "model/error.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace std::chrono_literals;

TEST_CASE("a restart window counts the restarts of the last period and no others", "[restart_window]") {
  const restart_clock_point start{1000h};
  restart_window window{10s};
  CHECK(window.record(start) == 1);
  CHECK(window.record(start) == 2);
  CHECK(window.record(start + 5s) == 3);
  CHECK(window.record(start + 10s - 1ns) == 4);
  CHECK(window.record(start + 10s) == 3); // The first two are exactly one period old.
  CHECK(window.record(start + 1h) == 1);
}

TEST_CASE("time that runs backwards is a broken invariant", "[restart_window]") {
  restart_window window{10s};
  window.record(restart_clock_point{2s});
  CHECK_THROWS_AS(window.record(restart_clock_point{1s}), broken_invariant);
}

TEST_CASE("the first restart is immediate, later ones wait longer and longer up to a maximum",
          "[restart_window]") {
  CHECK(restart_backoff(1, 100ms, 1s) == 0ms);
  CHECK(restart_backoff(2, 100ms, 1s) == 100ms);
  CHECK(restart_backoff(3, 100ms, 1s) == 200ms);
  CHECK(restart_backoff(4, 100ms, 1s) == 400ms);
  CHECK(restart_backoff(5, 100ms, 1s) == 800ms);
  CHECK(restart_backoff(6, 100ms, 1s) == 1s);
  CHECK(restart_backoff(4'000'000'000u, 100ms, 1s) == 1s);
}

TEST_CASE("without a first back-off no child ever waits", "[restart_window]") {
  CHECK(restart_backoff(1, 0ms, 1s) == 0ms);
  CHECK(restart_backoff(1000, 0ms, 1s) == 0ms);
}
