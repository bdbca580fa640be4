#pragma once
// What the stages of the pipeline (embedding, layers, output) have in common: handing the step on, reporting what went
// wrong with it, and knowing their neighbours.
#include "actors/paths.hpp"
#include "actors/roles.hpp"
#include "actors/step.hpp"
#include <caf/all.hpp>
#include <utility>

namespace troupe {

/// The way to the scheduler. Holds the newest message back while nobody is known there: a stage that was just started
/// may get its first step before it hears who the scheduler is.
class scheduler_line {
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

/// Where a stage's finished hidden states go. Holds them back while the next stage is unknown, or the scheduler that is to see
/// them, too: the step must not end before it has. When the next stage is replaced while the newest step may have been with
/// it, says so to the scheduler: nobody else can know.
class hand_over {
public:
  hand_over(std::string next_path) : next_path_(std::move(next_path)) {}

  void pass(caf::local_actor* self, v1::HiddenStates states, scheduler_line& scheduler) {
    last_ = id_of(states.plan());
    const bool observed = states.plan().observe_hidden_states();
    auto message = caf::make_message(std::move(states));
    if (observed) scheduler.post(self, message);
    for_scheduler_ = observed && !scheduler.is_known();
    if (next_ && !for_scheduler_) pass_on(self, next_, message);
    else held_back_ = std::move(message);
  }

  /// To be told after scheduler_line::replace.
  void scheduler_is_known(caf::local_actor* self) {
    if (std::exchange(for_scheduler_, false) && next_) release(self);
  }

  /// False: `path` is not the next stage.
  bool replace(caf::local_actor* self, const std::string& path, const caf::strong_actor_ptr& handle,
               scheduler_line& scheduler) {
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
  bool for_scheduler_ = false; // Held back for its sake.
  step_id last_;
};

/// Asks the directory for these actors, now and whenever they are replaced.
template <class Self>
void subscribe(Self* self, const directory_actor& directory, const std::vector<std::string>& paths) {
  v1::Subscribe request;
  for (const auto& path : paths) request.add_paths(path);
  self->send(directory, std::move(request), caf::strong_actor_ptr(self->ctrl()));
}

inline v1::StepProgress make_progress(const v1::ReportProgress& query, const std::string& path, bool holds_step,
                                      const std::vector<actor_name>& waiting_on = {}) {
  v1::StepProgress progress;
  progress.set_epoch(query.epoch());
  progress.set_step(query.step());
  progress.set_path(path);
  progress.set_holds_step(holds_step);
  for (const auto& late : waiting_on) {
    auto* name = progress.add_waiting_on();
    name->set_path(late.path);
    name->set_actor_id(late.id);
  }
  return progress;
}

} // namespace troupe
