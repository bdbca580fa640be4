#pragma once
// One seed's trial: simulated actors and a load, first with injected faults, then without; and the verdict.
//
//   safety     while faults are injected nothing wrong is ever handed to the client. Of requests: every token, every row of logits
//              and of hidden states is the reference's at its place, in order, and no request ends early or with an error. Of a
//              training run: the figures of every step are the reference's, and every state that comes is it, bit for bit.
//   liveness   after that everything outstanding finishes within a bound of steps and of (virtual) time. Then nothing is left
//              to do and nothing is left in any mailbox, the directory lists exactly the actors of an undisturbed run, and
//              when all is stopped no actor is left.
#include "actors/testing/fault_schedule.hpp"
#include "actors/testing/simulated_injector.hpp"
#include "model/parts.hpp"
#include <set>

namespace troupe::testing {

/// A load under way.
class load_under_way {
public:
  virtual ~load_under_way() = default;
  virtual simulated_actors& actors() = 0;
  /// Looks at what has come, and orders what is next, if anything is. What is wrong with it; empty: nothing.
  virtual std::string proceed() = 0;
  /// Nothing is outstanding.
  virtual bool is_done() = 0;
  /// What is outstanding: "2 requests do not finish".
  virtual std::string outstanding() = 0;
  /// Called before each step while faults are injected: what is not of actors and messages goes wrong.
  virtual void disturb() {}
  /// From now on nothing does.
  virtual void calm() {}
  /// How often something had to be done again: requests that were sent again, updates.
  virtual uint64_t repeated() = 0;
};

/// What is to be done, and what must come of it. Shared by the trials of many seeds.
class trial_load {
public:
  virtual ~trial_load() = default;
  /// Starts actors and their client; all else that is to be drawn for them is drawn from the seed. `plan` may be null.
  virtual std::unique_ptr<load_under_way> start(uint64_t seed, std::shared_ptr<const v1::FaultPlan> plan, observers watch) const = 0;
};

/// What the trials of many seeds share and none changes.
struct trial_setup {
  std::shared_ptr<const trial_load> load;
  std::vector<std::string> expected_paths; // Which actors are running, as the directory lists them, when all is well.
  std::vector<std::string> paths;          // Of all actors below the root that are there from the beginning.
  std::set<std::string> roles;             // All roles that an injection can hit.
};

/// `undisturbed`: the actors of the load, just started; this closes them. For loads of your own.
trial_setup setup_of(std::shared_ptr<const trial_load> load, simulated_actors& undisturbed);

/// Requests to a model in so many replicas: sixteen to choose from, some with a deadline, some cancelled.
/// `workers`: not 0: so many simulated processes, and a spare, compute the layers (simulated_nodes.hpp).
trial_setup make_setup(std::shared_ptr<const model_parts> model, uint32_t requests_per_trial = 3, uint32_t replicas = 1,
                       uint32_t workers = 0);
/// To a tiny model with random weights, made up on the spot. With an encoder, some of the requests are beam searches.
enum class tiny_kind : uint8_t { decoder, encoder_decoder, encoder, images, audio };
trial_setup make_tiny_setup(uint32_t requests_per_trial = 3, tiny_kind kind = tiny_kind::decoder, uint32_t replicas = 1,
                            uint32_t workers = 0);
/// Of the first three kinds.
std::vector<trial_setup> make_tiny_setups(uint32_t requests_per_trial = 3, uint32_t replicas = 1, uint32_t workers = 0);

/// A training run of so many updates, with made-up batches: of a model, and of a tiny one. The reference runs here, so a large model
/// takes its time. updates: at least 1.
trial_setup make_training_setup(std::shared_ptr<const model_file> model, uint32_t shards, uint32_t updates = 4);
trial_setup make_tiny_training_setup(uint32_t updates = 4);
/// Of three tiny models: that one, which has a decoder alone, an encoder-decoder, and an encoder that classifies.
std::vector<trial_setup> make_tiny_training_setups(uint32_t updates = 4);
/// Of a tiny model of images.
trial_setup make_image_training_setup(uint32_t updates = 4);

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
  caf::timespan liveness{0};   // and from the end of fault injection until nothing was outstanding.
  uint64_t fingerprint = 0;    // Equal for equal runs.
  uint64_t repeated = 0;       // See load_under_way.
  uint64_t restarts = 0;
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
