#include "actors/supervision/supervisor_core.hpp"

#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <exception>
#include <new>

namespace troupe {

supervisor_core::supervisor_core(caf::scheduled_actor* self, std::string path, supervisor_policy policy,
                                 std::vector<child_spec> children, directory_actor directory)
  : self_(self), path_(std::move(path)), policy_(policy), specs_(std::move(children)),
    directory_(std::move(directory)), restarts_(policy.period) {
  TROUPE_ASSERT(!path_.empty());
  TROUPE_ASSERT(policy_.period > caf::timespan::zero());
  TROUPE_ASSERT(!is_simple() || specs_.size() == 1);
  for (const auto& spec : specs_) {
    TROUPE_ASSERT(!spec.path.empty() && spec.start);
    if (!is_simple())
      add(spec, caf::message{});
  }
}

supervisor_core::~supervisor_core() {
  for (auto& c : children_)
    if (c.handle)
      send_kill(c.handle);
}

void supervisor_core::take_over() {
  report_exceptions(self_);
  self_->set_down_handler([this](caf::scheduled_actor*, caf::down_msg& down) { on_down(down); });
  self_->set_exit_handler([this](caf::scheduled_actor*, caf::exit_msg& order) { on_exit(order); });
  self_->set_default_handler(
    [this](caf::scheduled_actor*, caf::message_view& view) -> caf::result<caf::message> {
      throw broken_invariant("supervisor " + path_
                             + " got a message that it does not handle: " + to_string(view.content()));
    });
}

void supervisor_core::start_all() { advance(); }

caf::strong_actor_ptr supervisor_core::start_child(caf::message args) {
  TROUPE_ASSERT(is_simple());
  if (ending_)
    return nullptr;
  auto& c = *add(specs_.front(), std::move(args));
  start(c);
  auto handle = c.handle;
  advance();
  return handle;
}

// -- which children there are -------------------------------------------------

supervisor_core::child_place supervisor_core::add(const child_spec& spec, caf::message args) {
  const auto place =
    children_.insert(children_.end(), child{&spec, spec.path, std::move(args), restart_window{policy_.period}});
  place->place = place;
  ++waiting_;
  return place;
}

void supervisor_core::set(child& which, phase next) {
  const auto is_leaving = [](phase p) { return p == phase::leaving || p == phase::stopping || p == phase::killed; };
  waiting_ += (next == phase::waiting) - (which.now == phase::waiting);
  leaving_ += is_leaving(next) - is_leaving(which.now);
  if (next == phase::done && which.now != phase::done && is_simple())
    done_.push_back(which.place);
  which.now = next;
}

void supervisor_core::set_handle(child& which, caf::strong_actor_ptr handle) {
  by_handle_.emplace(handle->id(), which.place);
  which.handle = std::move(handle);
}

void supervisor_core::drop_handle(child& which) {
  by_handle_.erase(which.handle->id());
  which.handle = nullptr;
}

// -- what happened to a child ------------------------------------------------

bool supervisor_core::on_down(const caf::down_msg& down) {
  const auto known = by_handle_.find(down.source.id());
  if (known == by_handle_.end())
    return false;
  auto& c = *known->second;
  drop_handle(c);
  if (c.now == phase::running)
    ended(c, down.reason);
  else
    left(c);
  advance();
  return true;
}

void supervisor_core::on_exit(const caf::exit_msg& order) {
  if (!ending_)
    begin_end(order.reason);
  advance();
}

void supervisor_core::on_tick(const v1::SupervisorTick&) { advance(); }

void supervisor_core::on_abandon(const v1::AbandonActor& order) {
  TROUPE_ASSERT(!order.path().empty());
  const auto known = by_handle_.find(order.actor_id());
  if (known == by_handle_.end() || known->second->path != order.path())
    return; // It has ended in the meantime.
  abandon(*known->second, order.reason());
  advance();
}

void supervisor_core::abandon(child& which, const std::string& why) {
  const bool was_running = which.now == phase::running;
  let_go(which);
  if (was_running)
    ended(which, make_error(failure::abandoned, "abandoned: " + why));
  else
    left(which);
}

void supervisor_core::on_liveness_check(const v1::CheckLiveness& check) {
  answer_liveness_check(self_, check);
  const auto time = now();
  if (time >= check_again_) {
    check_again_ = time + liveness_silence;
    for (auto& c : children_)
      if (c.handle)
        ask_child(c);
  }
  advance();
}

void supervisor_core::ask_child(child& which) {
  if (!which.spec->answers_liveness_checks || which.liveness.owes())
    return;
  which.liveness.ask(++checks_);
  v1::CheckLiveness question;
  question.set_check(checks_);
  send_packed(self_, which.handle, packed<v1::CheckLiveness>{std::move(question)});
  if (next_tick_ == restart_clock_point::max())
    ran_.look(self_, liveness_tick_interval); // From here on.
  next_tick_ = std::min(next_tick_, now() + liveness_tick_interval);
}

void supervisor_core::on_liveness_reply(const v1::LivenessReply& reply) {
  for (auto& c : children_)
    if (c.liveness.answer(reply.check()))
      break;
  advance();
}

void supervisor_core::ended(child& which, const caf::error& reason) {
  if (!restarts_after(which, reason)) {
    set(which, phase::done);
    publish(which, reason, v1::DIRECTIVE_STOP);
  } else if (count_restart(which, reason)) {
    const auto stopped = restart_along(which);
    publish(which, reason, v1::DIRECTIVE_RESTART, stopped);
  }
}

void supervisor_core::start_failed(child& which, const std::string& text) {
  // Siblings are left alone: what they know of this child has not changed.
  start_error_ = text;
  const auto reason = make_error(failure::start_failed, "start failed: " + text);
  if (which.spec->restart == restart_kind::temporary) {
    set(which, phase::done);
    publish(which, reason, v1::DIRECTIVE_STOP);
  } else if (count_restart(which, reason)) {
    publish(which, reason, v1::DIRECTIVE_RESTART);
  }
}

void supervisor_core::left(child& which) {
  set(which, which.again ? phase::waiting : phase::done);
  which.due = restart_clock_point::min(); // Only a child that ended unexpectedly waits.
}

bool supervisor_core::restarts_after(const child& which, const caf::error& reason) const {
  switch (which.spec->restart) {
    case restart_kind::permanent:
      return true;
    case restart_kind::transient:
      return !is_normal_end(reason);
    case restart_kind::temporary:
      return false;
  }
  TROUPE_ASSERT(!"a restart_kind that does not exist");
}

bool supervisor_core::count_restart(child& which, const caf::error& reason) {
  const auto time = now();
  // A child supervisor that gave up has tried already: three of those are enough. Otherwise the attempts of all levels of a
  // tree would multiply, and an actor that cannot be started would be tried a hundred thousand times before the root gave up.
  auto count = restarts_.record(time);
  if (is_failure(reason, failure::restarts_exceeded))
    for (uint32_t i = 0; i < policy_.restarts_max / 3; ++i)
      count = restarts_.record(time);
  if (count <= policy_.restarts_max) {
    set(which, phase::waiting);
    which.due =
      time + restart_backoff(which.restarts.record(time), policy_.backoff_first, policy_.backoff_max);
    return true;
  }
  set(which, phase::done);
  std::vector<std::string> stopped;
  for (const auto& c : children_)
    if (c.handle)
      stopped.push_back(c.path);
  publish(which, reason, v1::DIRECTIVE_ESCALATE, stopped);
  // Where it began is what people want to know: a supervisor passes on what its child supervisor said.
  begin_end(is_failure(reason, failure::restarts_exceeded)
              ? reason
              : make_error(failure::restarts_exceeded, path_ + ": more than " + std::to_string(policy_.restarts_max)
                                                         + " restarts; the last was " + which.path
                                                         + ", because: " + reason_text(reason)));
  return false;
}

// Marks the siblings that are restarted along with `culprit`, and returns those that are stopped for it.
std::vector<std::string> supervisor_core::restart_along(const child& culprit) {
  std::vector<std::string> stopped;
  bool along = policy_.strategy == restart_strategy::one_for_all;
  for (auto& c : children_) {
    if (&c == &culprit) {
      along = along || policy_.strategy == restart_strategy::rest_for_one;
      continue;
    }
    if (!along)
      continue;
    c.again = c.spec->restart != restart_kind::temporary;
    if (c.now == phase::running) {
      set(c, phase::leaving);
      stopped.push_back(c.path);
    } else if (c.now == phase::done && c.again) {
      set(c, phase::waiting);
    }
  }
  return stopped;
}

void supervisor_core::begin_end(caf::error reason) {
  ending_ = true;
  why_ = std::move(reason);
  for (auto& c : children_) {
    c.again = false;
    if (c.now == phase::running)
      set(c, phase::leaving);
    else if (c.now == phase::waiting)
      set(c, phase::done);
  }
}

// -- what is to be done now --------------------------------------------------

void supervisor_core::advance() {
  abandon_silent();
  while (!quit_) {
    kill_overdue();
    stop_next();
    if (leaving_ > 0)
      break;
    if (ending_) {
      quit_ = true;
      self_->quit(why_);
      return;
    }
    if (start_waiting())
      break;
  }
  for (const auto place : done_)
    children_.erase(place);
  done_.clear();
  wake_when_due();
}

void supervisor_core::abandon_silent() {
  const auto time = now();
  if (next_tick_ > time)
    return;
  const auto ran = ran_.look(self_, liveness_tick_interval);
  std::vector<child*> late;
  bool any_owes = false;
  for (auto& c : children_) {
    if (c.handle && c.now == phase::stopping)
      ask_child(c); // Again and again: it may begin to hang at any time.
    if (!c.handle || !c.liveness.owes())
      continue;
    any_owes = true;
    if (c.liveness.tick(ran, patience_))
      late.push_back(&c);
  }
  next_tick_ = any_owes ? time + liveness_tick_interval : restart_clock_point::max();
  if (!any_owes)
    patience_ = 1;
  if (late.empty()) {
    several_were_late_ = several_were_late_ && any_owes;
    return;
  }
  several_were_late_ = late.size() > 1 && !several_were_late_;
  if (several_were_late_) {
    for (auto* c : late)
      c->liveness.reset_ticks();
    return;
  }
  patience_ = std::min(2 * patience_, 16u);
  for (auto* c : late)
    if (c->handle)
      abandon(*c, "it does not answer a liveness check");
}

void supervisor_core::kill_overdue() {
  if (leaving_ == 0)
    return;
  const auto time = now();
  for (auto& c : children_) {
    if (c.now == phase::stopping && c.due <= time) {
      set(c, phase::killed);
      c.due = time + c.spec->shutdown_max;
      send_kill(c.handle);
    } else if (c.now == phase::killed && c.due <= time) {
      let_go(c);
      left(c);
      publish(c,
              make_error(failure::abandoned,
                         "given up: it did not end when it was told to, nor when it was killed"),
              c.again ? v1::DIRECTIVE_RESTART : v1::DIRECTIVE_STOP);
    }
  }
}

void supervisor_core::stop_next() {
  if (leaving_ == 0)
    return;
  for (auto c = children_.rbegin(); c != children_.rend(); ++c) {
    if (c->now == phase::leaving) {
      set(*c, phase::stopping);
      c->due = now() + c->spec->shutdown_max;
      self_->send_exit(c->handle, caf::exit_reason::user_shutdown);
      ask_child(*c);
    }
    if (!is_simple() && (c->now == phase::stopping || c->now == phase::killed))
      return; // Its turn is not over.
  }
}

bool supervisor_core::starts_in_order() const {
  return policy_.strategy == restart_strategy::one_for_all
         || policy_.strategy == restart_strategy::rest_for_one;
}

// False: a start failed once too often and the supervisor is about to end.
bool supervisor_core::start_waiting() {
  if (waiting_ == 0)
    return true;
  const auto time = now();
  for (auto& c : children_) {
    if (c.now == phase::waiting && c.due <= time)
      start(c);
    if (ending_)
      return false;
    if (c.now == phase::waiting && starts_in_order())
      return true;
  }
  return true;
}

void supervisor_core::start(child& which) {
  caf::strong_actor_ptr handle;
  try {
    handle = which.spec->start(self_, which.path, which.args);
  } catch (const std::bad_alloc&) {
    return start_failed(which, "out of memory");
  } catch (const std::exception& e) {
    return start_failed(which, e.what());
  }
  if (!handle)
    return start_failed(which, "the start function returned no actor");
  set_handle(which, std::move(handle));
  set(which, phase::running);
  which.liveness = {};
  which.again = true;
  if (which.was_started)
    ++which.times_restarted;
  which.was_started = true;
  if (is_simple())
    which.path = which.spec->path + "/" + std::to_string(which.handle->id());
  if (which.spec->restart == restart_kind::temporary)
    which.args = caf::message{}; // Never needed again.
  self_->monitor(which.handle);
  publish_start(which);
}

// From here on the actor is no child any more, whatever it still does.
void supervisor_core::let_go(child& which) {
  self_->demonitor(which.handle->address());
  send_kill(which.handle);
  drop_handle(which);
}

void supervisor_core::wake_when_due() {
  auto first = next_tick_;
  bool may_start = leaving_ == 0 && !ending_;
  if (leaving_ > 0 || waiting_ > 0)
    for (const auto& c : children_) {
      if (c.now == phase::stopping || c.now == phase::killed)
        first = std::min(first, c.due);
      if (c.now == phase::waiting && may_start) {
        first = std::min(first, c.due);
        may_start = !starts_in_order();
      }
    }
  const auto time = now();
  if (first == restart_clock_point::max() || (wake_ > time && wake_ <= first))
    return;
  wake_ = std::max(first, time);
  v1::SupervisorTick tick;
  tick.set_round(++rounds_);
  auto element = caf::make_mailbox_element(self_->ctrl(), caf::make_message_id(), {}, std::move(tick));
  // A tick that is due already goes through the mailbox too, so that the messages before it are handled first.
  if (first <= time)
    self_->enqueue(std::move(element), self_->context());
  else
    self_->clock().schedule_message(wake_, caf::strong_actor_ptr{self_->ctrl()}, std::move(element));
}

restart_clock_point supervisor_core::now() const { return self_->clock().now(); }

// -- what is published -------------------------------------------------------

void supervisor_core::publish_start(const child& which) {
  v1::ActorStarted started;
  started.set_path(which.path);
  started.set_restarts(which.times_restarted);
  send_packed(self_, directory_,
              packed<v1::ActorStarted, caf::strong_actor_ptr>{std::move(started), which.handle});
}

void supervisor_core::publish(const child& which, const caf::error& reason, v1::Directive directive,
                              const std::vector<std::string>& stopped) {
  v1::SupervisorDecision decision;
  decision.set_supervisor(path_);
  decision.set_child(which.path);
  decision.set_reason(reason_text(reason));
  decision.set_directive(directive);
  decision.mutable_stopped()->Add(stopped.begin(), stopped.end());
  const auto time = now().time_since_epoch();
  decision.set_time_us(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  send_packed(self_, directory_, packed<v1::SupervisorDecision>{std::move(decision)});
}

void send_kill(const caf::strong_actor_ptr& to) {
  // Without a sender: that may have ended by the time the message is handled, and nothing needs the sender of a kill.
  const auto id = caf::make_message_id(caf::message_priority::high);
  to->enqueue(nullptr, id, caf::make_message(caf::exit_msg{to->address(), caf::exit_reason::kill}), nullptr);
}

} // namespace troupe
