#pragma once
// The figures that `troupe bench` derives from its samples. Pure: no clock, no engine.
#include "actors/engine.hpp"
#include <chrono>
#include <cstdint>
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
  std::vector<std::chrono::nanoseconds> compute; // Inside the code of model/, all threads; one for each run.
  std::chrono::nanoseconds busy{0};      // Inside actors, all threads.
  uint64_t steps = 0, messages = 0;

  /// Adds a run of `run_seconds`, with the engine's totals before and after it.
  void add(double run_seconds, const engine_statistics& before, const engine_statistics& after);
};

/// Where the threads' time went, as shares of threads * elapsed time; they sum to 1.
struct time_shares {
  double arithmetic = 0; // Inside the code of model/.
  double messages = 0;   // Inside actors, but not in the code of model/: receiving, building and sending messages.
  double waiting = 0;    // In no actor: no work was ready for the thread, or it was being woken.
  double actor_overhead() const { return 1 - arithmetic; } // What it costs that the model runs as actors.
};
time_shares shares_of(const measurement& all, uint32_t threads);
/// The actor overhead of each run.
std::vector<double> actor_overheads(const measurement& all, uint32_t threads);

/// The object of one kind of work in `--json`; docs/cli.md describes its fields.
nlohmann::ordered_json to_json(const measurement& all, uint32_t threads);

/// One line of the table for people, and the line above it.
std::string table_head();
std::string table_line(const std::string& name, const measurement& all, uint32_t threads);

} // namespace troupe
