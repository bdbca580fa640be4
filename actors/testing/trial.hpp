#pragma once
// One seed's trial: a troupe and some requests, first with injected faults, then without; and the verdict.
//
//   safety     while faults are injected nothing wrong is ever handed to the client: every token, every row of logits and of
//              hidden states is the reference's at its place, in order, and no request ends early or with an error;
//   liveness   after that everything outstanding finishes within a bound of steps and of (virtual) time. Then nothing is left
//              to do and nothing is left in any mailbox, the directory lists exactly the actors of an undisturbed troupe, and
//              when the troupe is stopped no actor is left.
#include "actors/testing/fault_schedule.hpp"
#include "actors/testing/simulated_injector.hpp"

namespace troupe::testing {

/// What the trials of many seeds share and none changes: the weights, requests to choose from, and their expected outcomes.
struct trial_setup {
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words; // May be null.
  std::vector<v1::GenerateRequest> requests;
  std::vector<request_outcome> wanted;     // By request.
  std::vector<std::string> expected_paths; // Which actors are running, as the directory lists them, when all is well.
  uint32_t requests_per_trial = 3;
};
trial_setup make_setup(std::shared_ptr<const model_parts> model, uint32_t requests_per_trial = 3);

/// A setup with a tiny model with random weights, made up on the spot.
trial_setup make_tiny_setup(uint32_t requests_per_trial = 3);

struct trial_bounds {
  uint64_t steps = 300'000; // Of each phase.
  // Virtual; of the second phase. Long, since the deadline of the very first step is a minute, after a jump of the clock
  // three minutes, and sixteen times that for an actor that was late four times in a row.
  caf::timespan time = std::chrono::hours(4);
};

struct trial_report {
  uint64_t seed = 0;
  std::string problem;         // Empty: all is well. Else what is wrong, and in which phase.
  uint64_t steps = 0;
  caf::timespan time{0};       // Virtual, of the whole trial;
  caf::timespan liveness{0};   // and from the end of fault injection until the last request had finished.
  uint64_t fingerprint = 0;    // Equal for equal runs.
  uint64_t resubmitted = 0, restarts = 0;
  injection_counts injected;
};

/// The same setup and seed give the same trial, to the message. `trace`: see simulated_injector.
trial_report run_trial(const trial_setup& setup, uint64_t seed, const trace_sink& trace = {},
                       const trial_bounds& bounds = {});
/// The same under a fault plan in place of a fault schedule, for at most plan_steps steps: then its faults are stopped. The
/// plan's own seed is replaced by the trial's.
constexpr uint64_t plan_steps = 20'000;
trial_report run_trial(const trial_setup& setup, uint64_t seed, v1::FaultPlan plan, const trace_sink& trace = {},
                       const trial_bounds& bounds = {});

/// The same with a fault schedule of the caller's choice.
trial_report run_trial(const trial_setup& setup, uint64_t seed, const fault_schedule& schedule, const trace_sink& trace = {},
                       const trial_bounds& bounds = {});

} // namespace troupe::testing
