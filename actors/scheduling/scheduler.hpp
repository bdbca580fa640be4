#pragma once
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/scheduling/batch_policy.hpp"
#include "actors/supervision/duration_estimate.hpp"
#include "actors/supervision/running_time.hpp"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe {

struct scheduler_config {
  batch_limits limits;
  std::vector<std::string> stages;  // Paths in pipeline order: embedding, layers, output; before them those of an encoder.
  std::vector<std::string> entries; // Those at which a step may begin: the embedding; for a step with sources the encoder's.
  directory_actor directory;
  caf::timespan deadline_min = std::chrono::milliseconds(350); // A step is never late before this,
  double deadline_factor = 3;                                  // nor before this multiple of the duration estimate;
  // until there is an estimate (a new scheduler has none): what the rows take on a machine far slower than any known one,
  caf::timespan row_longest = std::chrono::hours(1);           // which is this for each row,
  caf::timespan deadline_unknown_min = std::chrono::seconds(1); // but within these bounds.
  caf::timespan deadline_unknown = std::chrono::seconds(60);
  // The deadline doubles, up to four times, when the same actors are late again or none is to blame: the machine may have become
  // slow.
  caf::timespan tick = std::chrono::milliseconds(50);          // How often deadlines are checked, while any are running.
};

/// The scheduler: forms steps (forward passes of a batch of rows) from the ready sequences, as batch_policy decides, and follows
/// each step to its end, one at a time.
///
/// A step ends with its LogitsResult, which goes on to the sequences; with a StepFault; or by its deadline. After the last
/// two its rows are simply planned again. What else a fault calls for:
///   CACHE_MISS   the missing positions are planned again too (a replay).
///   NON_FINITE   the actor it came from is replaced the first time; a sequence to which it happens again and again
///                (batch_policy: poisoned) ends with an error.
///   BAD_SHAPE    the actor it came from is replaced.
///   LOST         nothing.
///   OUT_OF_MEMORY  nothing; it counts as a failure of the requests in the step, as LOST and BAD_SHAPE do, and is named in the error of
///                one that failed too often.
///   deadline     all stages are asked where the step is; at the next tick the actors that hold it up, or the stages that do
///                not answer, are replaced. Deadlines count time in which the threads had the processors: running_time.
/// A sequence that owes its next token is asked again after deadline_min; one that was asked in vain several times is
/// killed and removed, so that the others go on. Its client sends the request again.
///
/// Retry     joins, tokens and faults may come twice or late: what is not about the present step or position is ignored.
/// Restart   a new scheduler knows nothing; every sequence joins again with its token log. Its epoch, which is its actor id, is
///           higher than any before, so that all actors drop the messages of the steps that the old one left under way.
struct scheduler_state {
  static inline const char* name = "scheduler";

  struct step_under_way {
    step_id id;
    planned_step plan;
    caf::actor_clock::time_point started;
    stopwatch watch; // For the statistics only.
    caf::timespan running{0}; // What has passed since it started, as running_time counts.
    std::optional<caf::timespan> asked;              // When, in that time, all stages were asked where the step is,
    std::map<std::string, v1::StepProgress> answers; // and these have answered; by path.
  };

  scheduler_config config;
  batch_policy policy{{}};
  std::map<uint64_t, sequence_actor> sequences;
  std::map<caf::actor_id, std::set<uint64_t>> by_handle; // The same: which sequences a handle is of.
  std::map<std::string, caf::strong_actor_ptr> stages;
  std::optional<step_under_way> step;
  uint64_t steps = 0;
  // Of whole steps and per row, on the actor system's clock. The larger counts, because a step of few rows is not much shorter.
  duration_estimate step_ns, row_ns;
  uint32_t late_in_a_row = 0;       // Late steps since the last result, without those in which only new actors were blamed,
  std::set<std::string> late_paths; // and the paths of all actors blamed for them.
  caf::actor_clock::time_point awaiting_since; // Since when some sequence has owed its next token,
  caf::timespan awaiting{0};                   // and for how long, as running_time counts.
  running_time ran; // From tick to tick.
  bool ticking = false;
  v1::SchedulerStats stats;
};

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_config config);

} // namespace troupe
