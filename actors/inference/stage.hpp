#pragma once
// What the stages have in common. The embedding, the layers and the output are the stages of a pipeline: a step passes through
// them in this order, and before that through the embedding and the layers of an encoder, where there is one and a source is new.
// Each sends it on to the next, reports faults of it to the scheduler, and follows the replacements of both.
#include "actors/interfaces/paths.hpp"
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/step.hpp"
#include "actors/supervision/directory.hpp"
#include "messages/caf_message.hpp"
#include <caf/all.hpp>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// A stage's link to the scheduler. Holds the newest message back while the scheduler is unknown: a stage that was just started
/// may get its first step before the directory has told it the scheduler's handle.
class scheduler_link {
public:
  template <class Message> void send(caf::local_actor* self, Message message) {
    static_assert(accepts<scheduler_actor, Message>, "the scheduler has no handler for this message");
    post(self, caf::make_message(std::move(message)));
  }
  void post(caf::local_actor* self, caf::message message) {
    if (handle_) pass_on(self, handle_, message);
    else held_back_ = std::move(message);
  }
  bool is_known() const { return handle_ != nullptr; }
  void replace(caf::local_actor* self, const caf::strong_actor_ptr& handle) {
    handle_ = caf::actor_cast<scheduler_actor>(handle);
    if (held_back_.empty()) return;
    pass_on(self, handle_, held_back_);
    held_back_.reset();
  }

private:
  scheduler_actor handle_;
  caf::message held_back_;
};

/// A stage's link to the next stage, which gets its hidden states. Holds them back while the next stage is unknown; and, if the
/// scheduler is to see them too, while the scheduler is unknown, because the step must not end before it has seen them. When
/// the next stage is replaced, the newest step may have been lost with it: reports that to the scheduler, because no other
/// actor can know.
class next_stage {
public:
  next_stage(std::string next_path) : next_path_(std::move(next_path)) {}

  void pass(caf::local_actor* self, v1::HiddenStates states, scheduler_link& scheduler) {
    last_ = id_of(states.plan());
    const bool observed = states.plan().observe_hidden_states();
    auto message = caf::make_message(std::move(states));
    if (observed) scheduler.post(self, message);
    for_scheduler_ = observed && !scheduler.is_known();
    if (next_ && !for_scheduler_) pass_on(self, next_, message);
    else held_back_ = std::move(message);
  }

  /// To be called after scheduler_link::replace.
  void scheduler_is_known(caf::local_actor* self) {
    if (std::exchange(for_scheduler_, false) && next_) release(self);
  }

  /// False: `path` is not the next stage.
  bool replace(caf::local_actor* self, const std::string& path, const caf::strong_actor_ptr& handle,
               scheduler_link& scheduler) {
    if (path != next_path_) return false;
    next_ = caf::actor_cast<stage_actor>(handle);
    if (!held_back_.empty()) {
      if (!for_scheduler_) release(self);
    } else if (last_ != step_id{}) {
      scheduler.send(self, make_fault(last_, v1::FAULT_KIND_LOST, {path}));
    }
    return true;
  }

private:
  void release(caf::local_actor* self) {
    pass_on(self, next_, held_back_);
    held_back_.reset();
  }

  std::string next_path_;
  stage_actor next_;
  caf::message held_back_;
  bool for_scheduler_ = false; // Held back because the scheduler is unknown.
  step_id last_;               // The newest step that was passed on.
};

inline v1::StepProgress make_progress(const v1::ReportProgress& query, const std::string& path, bool holds_step,
                                      const std::vector<actor_name>& waiting_on = {}) {
  v1::StepProgress progress;
  progress.set_epoch(query.epoch());
  progress.set_step(query.step());
  progress.set_path(path);
  progress.set_holds_step(holds_step);
  for (const auto& actor : waiting_on) {
    auto* name = progress.add_waiting_on();
    name->set_path(actor.path);
    name->set_actor_id(actor.id);
  }
  return progress;
}

} // namespace troupe
