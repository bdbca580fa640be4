#include "actors/training/run_tracker.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr caf::timespan patience_max = std::chrono::seconds(10);

} // namespace

run_tracker::run_tracker(caf::actor_system& system, root_actor root, model_state state, uint64_t update)
    : self_(system), root_(std::move(root)), state_(std::move(state)), state_update_(update), update_(update), cursor_(update) {
  self_->monitor(root_);
  self_->send(root_, v1::FindDirectory{});
}

void run_tracker::train(bool report_states) {
  TROUPE_ASSERT(!busy());
  auto& step = wanted_.emplace();
  step.set_update(update_);
  step.mutable_batch()->set_number(update_);
  step.set_report_states(report_states);
  attempts_lost_ = 0;
  order();
}

void run_tracker::evaluate(uint64_t batch) {
  TROUPE_ASSERT(!busy());
  auto& step = wanted_.emplace();
  step.set_update(update_);
  step.mutable_batch()->set_validation(true);
  step.mutable_batch()->set_number(batch);
  attempts_lost_ = 0;
  order();
}

/// Orders what is wanted, or the next of the steps that must be done again before.
void run_tracker::order() {
  current_ = *wanted_;
  if (cursor_ < wanted_->update()) {
    current_ = {};
    current_.set_update(cursor_);
    current_.mutable_batch()->set_number(cursor_);
    ++replayed_;
  }
  current_.set_order(++orders_);
  ordered_from_ = nullptr;
  heard_ = self_->clock().now();
  patience_ = liveness_silence;
  if (!root_) {
    auto& failed = report_.emplace();
    failed.set_error(stopped_);
    wanted_.reset();
    return;
  }
  send_order();
  keep_ticking();
}

void run_tracker::send_order() {
  if (!trainer_ || !wanted_) return;
  const auto before = std::exchange(ordered_from_, trainer_);
  if (before && before != trainer_) ++attempts_lost_;
  self_->send(trainer_, current_, caf::strong_actor_ptr(self_.ptr()->ctrl()));
}

void run_tracker::on_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  if (started.path() == paths::directory) {
    const auto before = std::exchange(directory_, caf::actor_cast<directory_actor>(handle));
    if (!directory_ || directory_ == before) return;
    self_->monitor(directory_);
    v1::Subscribe request;
    request.add_paths(paths::trainer);
    self_->send(directory_, std::move(request), caf::strong_actor_ptr(self_.ptr()->ctrl()));
  } else if (started.path() == paths::trainer) {
    const auto before = std::exchange(trainer_, caf::actor_cast<trainer_actor>(handle));
    if (before != trainer_) send_order();
  }
}

void run_tracker::on_report(const v1::StepReport& report) {
  if (!wanted_ || report.order() != current_.order()) return;
  if (report.error().empty()) {
    cursor_ = reported_ = report.update();
    commit();
  } else if (cursor_ < wanted_->update()) {
    cursor_ = state_update_;
  }
  const bool is_it = current_.update() == wanted_->update();
  if (report.error().empty() && !is_it) {
    attempts_lost_ += report.attempts() - 1;
    return order(); // The next step to be done again, or what is wanted.
  }
  if (report.error().empty()) update_ = report.update();
  report_ = report;
  report_->set_attempts(report.attempts() + attempts_lost_);
  wanted_.reset();
}

void run_tracker::on_state(const v1::ParameterState& state) {
  if (!wanted_ || state.update() != current_.update() + 1 || !state_.contains(state.path())) return;
  if (std::exchange(next_update_, state.update()) != state.update()) next_state_.clear();
  next_state_.insert_or_assign(state.path(), self_->current_mailbox_element()->copy_content_to_message());
  commit();
}

/// The state that was coming in becomes the newest one, once it is complete and the step's report is there: without its figures the
/// step must be done again.
void run_tracker::commit() {
  if (next_state_.size() < state_.size() || reported_ != next_update_) return;
  state_ = std::exchange(next_state_, {});
  state_update_ = next_update_;
}

void run_tracker::on_question(const v1::FetchState& question) {
  const auto asker = asker_of<v1::ParameterState>(self_.ptr());
  const auto found = state_.find(question.path());
  if (found == state_.end()) return;
  if (question.update() == state_update_) return pass_on(self_.ptr(), asker, found->second);
  // The owner has lost a state that is newer than this one (or all owners have gone on since): the steps in between again.
  if (!wanted_ || question.update() != current_.update()) return;
  cursor_ = state_update_;
  ++attempts_lost_;
  order();
}

void run_tracker::on_down(const caf::down_msg& down) {
  if (root_ && down.source == root_->address()) {
    root_ = nullptr;
    trainer_ = nullptr;
    stopped_ = engine_has_stopped(down.reason);
    if (wanted_) order();
    return;
  }
  if (directory_ && down.source == directory_->address()) {
    directory_ = nullptr;
    trainer_ = nullptr;
    if (root_) self_->send(root_, v1::FindDirectory{});
  }
}

void run_tracker::keep_ticking() {
  if (!wanted_ || std::exchange(ticking_, true)) return;
  self_->delayed_send(self_, liveness_silence, v1::ClientTick{});
}

void run_tracker::on_tick() {
  ticking_ = false;
  const auto now = self_->clock().now();
  if (wanted_ && root_ && now - heard_ >= patience_) {
    heard_ = now;
    patience_ = std::min(2 * patience_, patience_max);
    self_->send(root_, v1::CheckLiveness{});
    self_->send(root_, v1::FindDirectory{}); // The directory known here may be one that hung and was replaced.
    send_order();                            // It, or its report, may have been lost.
  }
  keep_ticking();
}

bool run_tracker::receive(std::chrono::milliseconds timeout) {
  if (timeout <= std::chrono::milliseconds(0) && self_.ptr()->mailbox().empty()) return false; // CAF would wait a moment.
  bool received = true;
  self_->receive(
    [this](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) { on_started(started, handle); },
    [this](const v1::StepReport& report) { on_report(report); },
    [this](const v1::ParameterState& state) { on_state(state); },
    [this](const v1::FetchState& question) { on_question(question); },
    [this](const v1::ClientTick&) { on_tick(); },
    [](const v1::LivenessReply&) {},
    [this](const caf::down_msg& down) { on_down(down); }, caf::after(timeout) >> [&] { received = false; });
  return received;
}

} // namespace troupe
