#include "actors/threads/thread_times.hpp"

#include "support/catch.hpp"

#include <thread>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

thread_times times(std::chrono::nanoseconds ran, std::chrono::nanoseconds waited, bool is_held_up = false) { return {ran, waited, is_held_up}; }

} // namespace

TEST_CASE("threads that run or sleep as they like are not starved", "[thread_times]") {
  starvation account;
  CHECK(account.add(5s, {times(0ms, 0ms), times(7ms, 3ms, true)}) == 0ms);
  CHECK(account.add(100ms, {times(0ms, 0ms), times(107ms, 3ms, true)}) == 0ms); // One sleeps, one computes.
  CHECK(account.add(100ms, {times(40ms, 0ms, true), times(107ms, 3ms)}) == 0ms);
}

TEST_CASE("a thread that waits for a processor is starved as long as it waits, and the worst off counts", "[thread_times]") {
  starvation account;
  account.add(0ms, {times(0ms, 0ms), times(0ms, 0ms)});
  CHECK(account.add(100ms, {times(70ms, 30ms, true), times(20ms, 80ms, true)}) == 80ms);
}

TEST_CASE("a wait that is going on counts from look to look, and not once more when it is over", "[thread_times]") {
  starvation account;
  account.add(0ms, {times(0ms, 0ms, true)});
  CHECK(account.add(100ms, {times(10ms, 0ms, true)}) == 0ms); // Then it waits for 230 ms, of which 90 have passed.
  CHECK(account.add(100ms, {times(10ms, 0ms, true)}) == 100ms);
  CHECK(account.add(100ms, {times(10ms, 0ms, true)}) == 100ms);
  CHECK(account.add(100ms, {times(70ms, 230ms, true)}) == 30ms); // What was not counted yet.
  CHECK(account.add(100ms, {times(170ms, 230ms, true)}) == 0ms);
  CHECK(account.add(100ms, {times(170ms, 630ms, true)}) == 100ms); // No more than there was time.
}

TEST_CASE("a thread that was stopped is held up, one that blocks or sleeps is not", "[thread_times]") {
  starvation account;
  account.add(0ms, {times(10ms, 0ms, true), times(0ms, 0ms)});
  CHECK(account.add(100ms, {times(10ms, 0ms, true), times(0ms, 0ms)}) == 100ms);
  CHECK(account.add(100ms, {times(10ms, 0ms, false), times(0ms, 0ms)}) == 0ms);
  CHECK(account.add(100ms, {times(10ms, 50ms, true), times(0ms, 0ms)}) == 50ms);
}

TEST_CASE("a thread that waits for a disk for ever keeps the others from nothing", "[thread_times]") {
  starvation account;
  const thread_times waits{10ms, 0ms, false, true};
  account.add(0ms, {waits, times(0ms, 0ms)});
  for (int i = 0; i < 100; ++i) CHECK(account.add(100ms, {waits, times(0ms, 0ms)}) == 100ms);
  for (int i = 0; i < 100; ++i) CHECK(account.add(100ms, {waits, times(0ms, 0ms)}) == 0ms);
  CHECK(account.add(100ms, {times(50ms, 0ms), times(60ms, 40ms)}) == 40ms);
  account.add(100ms, {waits, times(60ms, 40ms)});
  CHECK(account.add(100ms, {waits, times(60ms, 40ms)}) == 100ms); // The next wait.
}

TEST_CASE("the times of a thread are read from the system", "[thread_times]") {
  CHECK_FALSE(read_thread_times("/no/such/folder"));
  const auto before = read_thread_times("/proc/thread-self");
  if (!before) return; // A system without schedstat.
  CHECK(before->is_held_up); // It runs.
  for (const auto end = std::chrono::steady_clock::now() + 20ms; std::chrono::steady_clock::now() < end;) {}
  const auto after = read_thread_times("/proc/thread-self");
  REQUIRE(after);
  CHECK(after->ran + after->waited > before->ran + before->waited);
}
