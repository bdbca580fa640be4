#pragma once
// What `troupe chaos` runs twice, undisturbed and under a fault plan: requests to a model, or a training run.
#include "apps/troupe/chaos/chaos_report.hpp"
#include "apps/troupe/cli/options.hpp"
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

/// Is told of a run while it goes on.
struct chaos_watch {
  /// Before anything is ordered: the paths of all actors below the root.
  std::function<void(std::vector<std::string> paths)> started = [](const auto&) {};
  /// Now and then, with the share of the work that is done and what the plan has done so far; false: that is enough, the run ends.
  std::function<bool(const run_record& so_far, double share, const std::function<v1::FaultLog()>& log)> go_on;
};

class chaos_load {
public:
  virtual ~chaos_load() = default;
  /// Fills in what is run.
  virtual void describe(chaos_result& result) const = 0;
  /// Runs it from the start, on an engine of its own. plan: may be null. Throws input_error for a plan that cannot be carried out.
  virtual run_record run(std::shared_ptr<const v1::FaultPlan> plan, const chaos_watch& watch) const = 0;
};

struct request_load_options {
  run_options run;
  std::string prompts; // A file; empty: a few made-up ones.
  uint32_t clients = 8;
  uint32_t tokens_max = 64;
  std::chrono::seconds silence{60};
};
std::unique_ptr<chaos_load> make_request_load(const request_load_options& options);

struct training_load_options {
  std::string config;
  run_options run; // threads, shards, quiet.
  uint64_t steps = 20; // At most; the configuration may ask for fewer.
  std::chrono::seconds silence{180}; // A hang in the very first step is noticed after a minute.
};
/// Prepares vocabulary and data in a temporary folder, which goes with the load: the configuration's output is neither read nor
/// written. Throws input_error; returns null when Ctrl-C ended the preparation.
std::unique_ptr<chaos_load> make_training_load(const training_load_options& options);

} // namespace troupe
