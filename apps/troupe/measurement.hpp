#pragma once
// What `troupe bench` makes of its samples. Pure: no clock, no engine.
#include "actors/engine.hpp"
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace troupe {

/// The middle value; the mean of the two middle ones for an even number. values: at least one.
double median(std::vector<double> values);

struct measurement;
/// Tokens per second of each run.
std::vector<double> rates(const measurement& all);

/// Several runs of one kind of work. Other figures are sums over the runs.
struct measurement {
  uint64_t tokens_per_run = 0;           // What tokens_per_s counts.
  std::vector<double> seconds;           // One for each run.
  std::vector<std::chrono::nanoseconds> compute; // Inside the maths, all threads; one for each run.
  std::chrono::nanoseconds busy{0};      // Inside actors, all threads.
  uint64_t steps = 0, messages = 0;

  /// Takes in a run of `run_seconds` between two looks at the engine's totals.
  void add(double run_seconds, const engine_statistics& before, const engine_statistics& after);
};

/// Where the threads' time went, as shares of threads * elapsed time; they sum to 1.
struct time_shares {
  double arithmetic = 0; // Inside the maths.
  double messages = 0;   // Inside actors, but not in the maths: receiving, building and sending messages.
  double waiting = 0;    // In no actor: no work was ready for the thread, or it was being woken.
  double actor_tax() const { return 1 - arithmetic; }
};
time_shares shares_of(const measurement& all, uint32_t threads);
/// The actor tax of each run.
std::vector<double> taxes(const measurement& all, uint32_t threads);

/// The object of one kind of work in `--json`; docs/cli.md describes its fields.
nlohmann::ordered_json to_json(const measurement& all, uint32_t threads);

/// One line of the table for people, and the line above it.
std::string table_head();
std::string table_line(const std::string& name, const measurement& all, uint32_t threads);

} // namespace troupe
