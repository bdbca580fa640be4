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

/// A copy of the model (actors/tree/replica.hpp), as the scheduler knows it.
struct replica_stages {
  std::vector<std::string> stages;  // Paths in pipeline order: embedding, layers, output; before them those of an encoder.
  std::vector<std::string> entries; // Those at which a step may begin: the embedding; for a step with sources the encoder's.
};

struct scheduler_config {
  batch_limits limits; // Of each replica.
  std::vector<replica_stages> replicas; // At least one.
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
/// each step to its end; of each replica one at a time.
///
/// A sequence joins the replica in which its first step is expected to end first, by what the steps of each have taken so far (a replica
/// on slower processors gets less): after what was joined there before, and less what is there of its prefix. Sequences of one
/// request stay together. A replica with nothing to do takes those over that wait in others. The bits are the same in each.
///
/// A step ends with its LogitsResult, which goes on to the sequences; with a StepFault; or by its deadline. After the last
/// two its rows are simply planned again. What else a fault calls for:
///   CACHE_MISS   the missing positions are planned again too (a replay).
///   NON_FINITE   the actor it came from is replaced the first time; a sequence to which it happens again and again
///                (batch_policy: poisoned) ends with an error.
///   BAD_SHAPE    the actor it came from is replaced.
///   LOST         nothing. It counts as a failure of the requests in the step, unless the actor with which it was lost has just been
///                replaced by order of the scheduler: that is no request's fault.
///   OUT_OF_MEMORY  nothing; it counts as a failure of the requests in the step, as LOST and BAD_SHAPE do, and is named in the error of
///                one that failed too often.
///   deadline     all stages are asked where the step is; at the next tick the actors that hold it up, or the stages that do
///                not answer, are replaced; unless one of them says that what computes for it is still being started: then the step's
///                time begins anew. Deadlines count time in which the threads had the processors: running_time.
/// A sequence that owes its next token is asked again after deadline_min; one that was asked in vain several times is
/// killed and removed, so that the others go on. Its client sends the request again.
///
/// Retry     joins, tokens and faults may come twice or late: what is not about the present step or position is ignored.
/// Restart   a new scheduler knows nothing; every sequence joins again with its token log. Its epoch, which is its actor id, is
///           higher than any before, so that all actors drop the messages of the steps that the old one left under way.
/// Of the bucket of v1::QueueTimes with this index; the last one has no bound.
constexpr int queue_time_buckets = 21;
constexpr caf::timespan queue_time_bound(int bucket) { return std::chrono::milliseconds(int64_t(1) << bucket); }

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
  struct replica {
    replica_stages known_as;
    batch_policy policy{{}};
    std::map<std::string, caf::strong_actor_ptr> stages;
    std::optional<step_under_way> step;
    // Of whole steps and per row, on the actor system's clock. The larger counts, because a step of few rows is not much shorter.
    duration_estimate step_ns, row_ns;
    uint32_t late_in_a_row = 0;       // Late steps since the last result, without those in which only new actors were blamed,
    std::set<std::string> late_paths; // and the paths of all actors blamed for them.
    caf::actor_clock::time_point awaiting_since; // Since when some sequence has owed its next token,
    caf::timespan awaiting{0};                   // and for how long, as running_time counts.
  };
  struct member {
    sequence_actor actor;
    size_t replica = 0; // In which it runs.
  };

  scheduler_config config;
  std::vector<replica> replicas; // As many as there will ever be.
  std::map<uint64_t, member> sequences;
  std::map<caf::actor_id, std::set<uint64_t>> by_handle; // The same: which sequences a handle is of.
  std::map<uint64_t, caf::actor_clock::time_point> waiting_since; // Those of them without a first step.
  uint64_t steps = 0; // Of all replicas.
  std::map<std::string, uint64_t> replaced_after; // Actors that were last replaced by order of this one: how many steps there were then.
  running_time ran; // From tick to tick.
  bool ticking = false;
  v1::SchedulerStats stats;

  /// That in which this step is under way; null: it is no more.
  replica* running(step_id step);
  replica* of_sequence(uint64_t sequence);
};

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_config config);

} // namespace troupe
