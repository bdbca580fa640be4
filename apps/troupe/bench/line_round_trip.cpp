#include "apps/troupe/bench/line_round_trip.hpp"
#include "actors/threads/cpus.hpp"
#include "apps/troupe/bench/measurement.hpp"
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace troupe {
namespace {

constexpr int batches = 41, trips = 50;

/// Spins; where the threads could not be pinned to processors of their own, it yields to the other one.
void wait_for(const std::atomic<int>& line, int turn) {
  for (uint32_t polls = 1; line.load(std::memory_order_acquire) != turn; ++polls)
    if (polls % 4096 == 0) std::this_thread::yield();
}

/// Writes every other number: `first`, `first` + 2, ..., each as soon as the one before it has been written. Calls after(n) when
/// n were written.
template <class After> void take_turns(std::atomic<int>& line, int first, After after) {
  for (int trip = 0; trip < batches * trips; ++trip) {
    wait_for(line, first + 2 * trip - 1);
    line.store(first + 2 * trip, std::memory_order_release);
    after(trip + 1);
  }
}

} // namespace

double measure_line_round_trip() {
  using steady = std::chrono::steady_clock;
  const auto cpus = usable_cpus();
  if (cpus.size() == 1) return 0;
  const auto run = [&cpus](size_t index, auto work) {
    return std::thread([&cpus, index, work] {
      if (cpus.size() > 1) pin_this_thread(cpus[index]);
      work();
    });
  };
  struct alignas(64) {
    std::atomic<int> turn{0};
  } line;
  std::vector<double> nanoseconds;
  std::thread here = run(0, [&] {
    auto start = steady::now();
    take_turns(line.turn, 1, [&](int done) {
      if (done % trips != 0) return;
      const auto now = steady::now();
      nanoseconds.push_back(std::chrono::duration<double, std::nano>(now - start).count() / trips);
      start = now;
    });
  });
  std::thread there = run(1, [&] { take_turns(line.turn, 2, [](int) {}); });
  here.join();
  there.join();
  return median(std::move(nanoseconds));
}

} // namespace troupe
