#pragma once
#include "actors/batch_policy.hpp"
#include "actors/roles.hpp"
#include "actors/step.hpp"
#include "actors/usual_time.hpp"
#include <caf/all.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe {

struct scheduler_config {
  batch_limits limits;
  std::vector<std::string> stages; // Paths in pipeline order: embedding, layers, output.
  directory_actor directory;
  caf::timespan deadline_min = std::chrono::milliseconds(350); // A step is never called late before this,
  double deadline_factor = 3;                                  // nor before this multiple of the usual time;
  // Until there is a usual time (a new scheduler has none): what the rows take on a machine far slower than any we know of,
  caf::timespan row_longest = std::chrono::hours(1);           // which is this for each row,
  caf::timespan deadline_unknown_min = std::chrono::seconds(1); // but within these bounds.
  caf::timespan deadline_unknown = std::chrono::seconds(60);
  // All of these double, up to four times, when the same actors are late again or nobody is: the machine may have become slow.
  caf::timespan tick = std::chrono::milliseconds(50);          // How often it looks, while there is something to look at.
};

/// The scheduler: forms steps from the ready sequences (batch_policy) and sees each of them through, one at a time.
///
/// A step ends with its LogitsResult, which goes on to the sequences; with a StepFault; or by its deadline. After the last
/// two its rows are simply planned again: a replay. What else a fault calls for:
///   CACHE_MISS   the missing positions are planned again too.
///   NON_FINITE   the actor it came from is replaced the first time; a sequence to which it happens again and again is
///                poisoned and ends with an error.
///   BAD_SHAPE    the actor it came from is replaced.
///   LOST         nothing.
///   deadline     all stages are asked where the step is; by the next tick whoever holds it up, or does not answer, is
///                replaced.
/// A sequence that owes its next token is asked again after deadline_min; one that was asked so in vain several times is
/// killed and forgotten, so that the others go on: if it lives, or if it does not, its client sees to the request.
///
/// Restart   a new scheduler knows nothing; every sequence joins again with its token log. Its epoch, the actor's id, is
///           higher than any before, so that what the old one left under way is dropped by all.
struct scheduler_state {
  static inline const char* name = "scheduler";

  struct step_under_way {
    step_id id;
    planned_step plan;
    caf::actor_clock::time_point started;
    stopwatch watch; // For the statistics only.
    bool asked = false;                              // All stages were asked where it is,
    std::map<std::string, v1::StepProgress> answers; // and these have answered.
  };

  scheduler_config config;
  batch_policy policy{{}};
  std::map<uint64_t, sequence_actor> sequences;
  std::map<std::string, caf::strong_actor_ptr> stages;
  std::optional<step_under_way> step;
  uint64_t steps = 0;
  // On the actor system's clock. A step costs no less for having few rows, so both count.
  usual_time step_ns, row_ns;
  uint32_t late_in_a_row = 0;        // Late steps since one came through, but for the first time somebody new was to blame,
  std::set<std::string> late_paths; // and all who were.
  caf::actor_clock::time_point awaiting_since;
  bool ticking = false;
  v1::SchedulerStats stats;
};

scheduler_actor::behavior_type scheduler(scheduler_actor::stateful_pointer<scheduler_state> self,
                                         scheduler_config config);

} // namespace troupe
