#pragma once
// Many seeds' trials in several processes at once. Processes, not threads: a trial is one thread by its nature, the weights
// are shared by fork, and a seed that takes its whole process with it is still known by name.
#include "actors/testing/trial.hpp"
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace troupe {

struct seed_range {
  uint64_t first = 1, last = 1; // Both included.
  uint64_t count() const { return last - first + 1; }
};
/// "1..1000", or "4711" alone. Throws usage_error.
seed_range parse_seeds(const std::string& text);

struct failed_seed {
  uint64_t seed = 0;
  std::string problem;
};

struct seed_totals {
  uint64_t seeds = 0, steps = 0, restarts = 0, repeated = 0;
  std::chrono::nanoseconds liveness_max{0}; // Virtual.
  testing::injection_counts injected;
  std::vector<failed_seed> failed; // In order of seed.
  double seconds = 0;
  int signal = 0; // That ended the run early.

  void add(const testing::trial_report& report);
};

/// Runs one seed's trial: under a fault schedule drawn from the seed, or under the caller's plan.
using seed_trial = std::function<testing::trial_report(uint64_t seed)>;

/// Runs all seeds, or until the first failure. `progress` is called now and then. SIGINT and SIGTERM end it early.
seed_totals run_seeds(const seed_trial& trial, seed_range seeds, uint32_t jobs, bool stop_at_first,
                      const std::function<void(const seed_totals&)>& progress);

} // namespace troupe
