#pragma once
// What the client of a training run does: orders steps, keeps the newest state of all weights, so that the run goes on from there
// whatever ends below the root.
#include "actors/interfaces/supervision.hpp"
#include "actors/interfaces/training_roles.hpp"
#include "actors/supervision/liveness.hpp"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// The state of all owners after the same update, by path: ParameterState messages, which are shared and never change.
using model_state = std::map<std::string, caf::message>;

/// Every actor below the root may end at any moment: all at once, too. The tracker's state is the newest complete one it has got; when
/// an owner needs one that it has not, it orders the steps since its own once more. Batches are functions of their number, so the
/// weights are the same bits then.
///
/// When nothing was received during an order for liveness_silence, it sends liveness checks to the root, which passes them down.
///
/// Works through a scoped_actor's mailbox, in the thread that calls `receive`.
class run_tracker {
public:
  /// `state`: of every owner, after `update` updates.
  run_tracker(caf::actor_system& system, root_actor root, model_state state, uint64_t update);

  /// Orders the next update. report_states: owners send their states, so that the tracker's becomes the newest one then.
  void train(bool report_states);
  /// Orders the loss of a validation batch.
  void evaluate(uint64_t batch);
  bool busy() const { return wanted_.has_value(); }
  /// Handles at most one message; waits for it no longer than `timeout`. False: none came.
  bool receive(std::chrono::milliseconds timeout);
  /// The report of the order, once it is there. Not of steps that were done again; but its attempts are all that there were since the
  /// order, those of trainers that ended and of steps that were done again too.
  std::optional<v1::StepReport> take_report() { return std::exchange(report_, std::nullopt); }

  /// How many updates there have been.
  uint64_t update() const { return update_; }
  /// The newest complete state, and after how many updates.
  const model_state& state() const { return state_; }
  uint64_t state_update() const { return state_update_; }
  /// Steps that were done again.
  uint64_t replayed() const { return replayed_; }

private:
  void order();
  void send_order();
  void on_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle);
  void on_report(const v1::StepReport& report);
  void on_state(const v1::ParameterState& state);
  void commit();
  void on_question(const v1::FetchState& question);
  void on_down(const caf::down_msg& down);
  void on_tick();
  void keep_ticking();

  caf::scoped_actor self_;
  root_actor root_; // Null: it has ended, and
  std::string stopped_; // what became of the engine.
  directory_actor directory_;
  trainer_actor trainer_;
  model_state state_, next_state_; // The newest complete one; the one that is coming in.
  uint64_t state_update_, next_update_ = 0;
  uint64_t reported_ = 0; // The newest state that a report said all owners have.
  uint64_t update_;  // What has been reported to the caller.
  uint64_t cursor_;  // Where the run is: below update_ while steps are done again.
  std::optional<v1::RunStep> wanted_; // What the caller wants.
  v1::RunStep current_;               // What is under way for it.
  std::optional<v1::StepReport> report_;
  trainer_actor ordered_from_;        // Who was sent the order that is under way.
  uint64_t attempts_lost_ = 0;        // For what the caller wants: those that the trainer that reports does not know of.
  uint64_t orders_ = 0, replayed_ = 0;
  caf::actor_clock::time_point heard_;
  caf::timespan patience_ = liveness_silence;
  bool ticking_ = false;
};

} // namespace troupe
