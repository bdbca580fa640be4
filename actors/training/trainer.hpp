#pragma once
#include "actors/interfaces/step.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/interfaces/training_roles.hpp"
#include "actors/supervision/duration_estimate.hpp"
#include "actors/supervision/running_time.hpp"
#include "model/training/optimiser.hpp"
#include "model/training/parameters.hpp"
#include <caf/all.hpp>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace troupe {

struct trainer_config {
  optimiser_options optimiser;
  rate_schedule schedule;
  float weights_kept = 0;     // Of exponential smoothing; 0: none.
  uint32_t in_flight_max = 4; // Micro-batches under way at once. Never changes a bit of the result.
  std::string embedding;      // Where micro-batches go: the encoder's, where there is one.
  std::vector<std::string> owners; // All who have parameters: paths.
  directory_actor directory;
  caf::timespan deadline_min = std::chrono::seconds(1); // A step is never late before nothing has happened for so long,
  double deadline_factor = 4;                                  // nor before this multiple of the usual pause between two events;
  caf::timespan row_longest = std::chrono::seconds(60);        // until that is known by what all rows of the batch take at most,
  caf::timespan deadline_unknown = std::chrono::seconds(60);   // up to this.
  caf::timespan fetch_again = std::chrono::seconds(2); // A batch is asked for again: the question may have been lost.
  caf::timespan tick = std::chrono::milliseconds(100);
};

/// The trainer: carries out one training step (or evaluation) at a time, as its client orders, and repeats it until it succeeds.
///
/// An attempt ends with a report to the client; or it fails: an owner was replaced, an answer was not finite or had a wrong shape, or
/// nothing happened for too long. Then the next attempt begins, from the same state of the weights and with the same batch. What else
/// a failure calls for:
///   NON_FINITE   the actor it came from is replaced the first time; the tenth time in a row the step is given up, with an error
///                that names the batch.
///   BAD_SHAPE    the actor it came from is replaced.
///   deadline     all owners are asked whether they handle messages; those that do not answer are replaced.
///
/// Retry     a repeated order changes nothing.
/// Restart   a new trainer knows nothing; the client sends its order again. Its epoch, which is its actor id, is higher than any
///           before, so that all owners drop the messages of earlier attempts.
struct trainer_state {
  static inline const char* name = "trainer";
  static constexpr uint32_t non_finite_max = 10, failures_max = 1000;

  enum class phase_kind : uint8_t { idle, waiting, preparing, running, collecting, updating };

  trainer_config config;
  std::map<std::string, caf::strong_actor_ptr> handles; // Of the owners and the loader.
  v1::RunStep order;
  std::optional<v1::StepReport> last_report; // Of this order.
  caf::strong_actor_ptr client;
  std::map<std::pair<bool, uint64_t>, caf::message> batches; // TrainingBatch, by name: this order's and the next one's.

  phase_kind phase = phase_kind::idle;
  step_id now;
  uint64_t steps = 0, attempts = 0, failures = 0;
  uint32_t non_finite = 0; // In a row, of this order.
  std::set<std::string> blamed; // For values that are not finite, in this order.
  std::set<std::string> owed;   // Who is yet to answer.
  uint32_t sent = 0;
  std::map<uint32_t, v1::BatchLoss> losses; // By micro-batch.
  std::set<uint32_t> done;
  std::vector<piece_square> squares;
  double gradient_norm = 0;
  uint64_t compute_ns = 0, state_ns = 0;
  stopwatch watch; // Of the attempt.

  duration_estimate pauses;
  caf::actor_clock::time_point last_event, fetched; // When a batch was last asked for.
  running_time ran;         // From tick to tick,
  caf::timespan running{0}; // and since the last event.
  std::optional<caf::timespan> asked; // When, in that time, all owners were asked.
  bool ticking = false;
  std::set<std::string> alive; // Have answered since.
  uint32_t late_in_a_row = 0;
};

trainer_actor::behavior_type trainer(trainer_actor::stateful_pointer<trainer_state> self, trainer_config config);

} // namespace troupe
