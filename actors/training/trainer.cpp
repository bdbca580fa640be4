#include "actors/training/trainer.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/training/parameter_owner.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace troupe {
namespace {

using trainer_pointer = trainer_actor::stateful_pointer<trainer_state>;
using phase_kind = trainer_state::phase_kind;

std::pair<bool, uint64_t> key_of(const v1::BatchName& name) { return {name.validation(), name.number()}; }

const v1::TrainingBatch* batch_of(const trainer_state& st) {
  const auto found = st.batches.find(key_of(st.order.batch()));
  return found == st.batches.end() ? nullptr : &found->second.get_as<v1::TrainingBatch>(0);
}

void keep_ticking(trainer_pointer self) {
  auto& st = self->state;
  if (st.phase == phase_kind::idle || std::exchange(st.ticking, true)) return;
  self->delayed_send(self, st.config.tick, v1::TrainerTick{});
}

/// Something has happened: the step is not late.
void note_event(trainer_pointer self) {
  auto& st = self->state;
  st.last_event = self->clock().now();
  st.running = caf::timespan(0);
  st.asked.reset();
}

void report(trainer_pointer self, v1::StepReport report) {
  auto& st = self->state;
  st.phase = phase_kind::idle;
  report.set_order(st.order.order());
  report.set_attempts(st.attempts);
  st.last_report = report;
  self->send(caf::actor_cast<training_client_actor>(st.client), std::move(report));
}

void give_up(trainer_pointer self, const std::string& why) {
  v1::StepReport failed;
  failed.set_update(self->state.order.update());
  failed.set_error(why);
  report(self, std::move(failed));
}

std::string name_of_batch(const v1::BatchName& name) {
  return std::string(name.validation() ? "validation" : "training") + " batch " + std::to_string(name.number());
}

template <class Message> Message numbered(const trainer_state& st) {
  Message message;
  message.set_epoch(st.now.epoch);
  message.set_step(st.now.step);
  return message;
}

template <class... Ts> void send_to_owners(trainer_pointer self, const packed<Ts...>& message) {
  auto& st = self->state;
  for (const auto& path : st.config.owners)
    send_packed(self, caf::actor_cast<parameter_owner_actor>(st.handles.at(path)), message);
}

void expect_all(trainer_state& st, phase_kind phase) {
  st.phase = phase;
  st.owed = {st.config.owners.begin(), st.config.owners.end()};
}

void fetch(trainer_pointer self, const v1::BatchName& name) {
  auto& st = self->state;
  const auto found = st.handles.find(paths::loader);
  if (found == st.handles.end() || st.batches.contains(key_of(name))) return;
  v1::FetchBatch question;
  *question.mutable_name() = name;
  self->send(caf::actor_cast<loader_actor>(found->second), std::move(question));
  st.fetched = self->clock().now();
}

/// Begins an attempt, as soon as there are the batch and all owners.
void begin(trainer_pointer self) {
  auto& st = self->state;
  st.phase = phase_kind::waiting;
  keep_ticking(self);
  if (!batch_of(st)) return fetch(self, st.order.batch());
  for (const auto& path : st.config.owners)
    if (const auto found = st.handles.find(path); found == st.handles.end() || !found->second) return;
  ++st.attempts;
  st.now = {self->id(), ++st.steps};
  st.sent = 0;
  st.losses.clear();
  st.done.clear();
  st.squares.clear();
  st.compute_ns = st.state_ns = 0;
  st.watch = {};
  note_event(self);
  expect_all(st, phase_kind::preparing);
  auto message = numbered<v1::BeginStep>(st);
  message.set_update(st.order.update());
  for (const auto& path : st.config.owners) {
    auto& member = *message.add_members();
    member.set_path(path);
    member.set_actor_id(st.handles.at(path)->id());
  }
  send_to_owners(self, packed<v1::BeginStep, caf::strong_actor_ptr>{std::move(message), st.client});
  // The loader makes the next batch while this one is computed.
  if (auto next = st.order.batch(); true) {
    next.set_number(next.number() + 1);
    fetch(self, next);
  }
}

void attempt_failed(trainer_pointer self, const std::string& why) {
  auto& st = self->state;
  if (++st.failures >= trainer_state::failures_max)
    return give_up(self, name_of_batch(st.order.batch()) + " failed " + std::to_string(st.failures) + " times in a row: " + why);
  begin(self);
}

void send_batches(trainer_pointer self) {
  auto& st = self->state;
  const auto& batch = *batch_of(st);
  const auto finished = st.order.batch().validation() ? st.losses.size() : st.done.size();
  for (; st.sent < uint32_t(batch.micro_batches_size()) && st.sent < finished + st.config.in_flight_max; ++st.sent) {
    v1::ForwardBatch message = batch.micro_batches(int(st.sent));
    message.set_epoch(st.now.epoch);
    message.set_step(st.now.step);
    self->send(caf::actor_cast<training_embedding_actor>(st.handles.at(st.config.embedding)), std::move(message));
  }
}

uint64_t rows_of(const v1::TrainingBatch& batch) {
  uint64_t rows = 0;
  for (const auto& one : batch.micro_batches()) rows += uint64_t(one.tokens_size()) + uint64_t(one.source_size());
  return rows;
}

v1::StepReport make_report(const trainer_state& st, uint64_t update) {
  v1::StepReport message;
  message.set_update(update);
  double loss = 0;
  uint64_t targets = 0, hits = 0;
  for (const auto& [index, one] : st.losses) { // In the order of micro-batches.
    loss += one.loss();
    targets += one.targets();
    hits += one.hits();
  }
  message.set_loss(loss);
  message.set_targets(targets);
  message.set_hits(hits);
  message.set_rows(rows_of(*batch_of(st)));
  message.set_wall_ns(st.watch.elapsed_ns());
  message.set_compute_ns(st.compute_ns);
  message.set_state_ns(st.state_ns);
  return message;
}

/// All that was under way has come back, or the next micro-batch may go.
void go_on(trainer_pointer self) {
  auto& st = self->state;
  const auto count = size_t(batch_of(st)->micro_batches_size());
  const bool is_validation = st.order.batch().validation();
  if (st.losses.size() < count || (!is_validation && st.done.size() < count)) return send_batches(self);
  if (is_validation) return report(self, make_report(st, st.order.update()));
  expect_all(st, phase_kind::collecting);
  send_to_owners(self, packed<v1::CollectGradients>{numbered<v1::CollectGradients>(st)});
}

void on_ready(trainer_pointer self, const v1::OwnerReady& ready) {
  auto& st = self->state;
  if (st.phase != phase_kind::preparing || id_of(ready) != st.now || st.owed.erase(ready.path()) == 0) return;
  note_event(self);
  if (!st.owed.empty()) return;
  st.phase = phase_kind::running;
  go_on(self);
}

/// The pauses between events of this phase tell what is late.
void note_progress(trainer_pointer self) {
  auto& st = self->state;
  st.pauses.add(double((self->clock().now() - st.last_event).count()));
  note_event(self);
}

void on_loss(trainer_pointer self, const v1::BatchLoss& loss) {
  auto& st = self->state;
  if (st.phase != phase_kind::running || id_of(loss) != st.now || !st.losses.emplace(loss.micro_batch(), loss).second) return;
  st.compute_ns += loss.compute_ns();
  note_progress(self);
  go_on(self);
}

void on_done(trainer_pointer self, const v1::BatchDone& done) {
  auto& st = self->state;
  if (st.phase != phase_kind::running || id_of(done) != st.now || !st.done.insert(done.micro_batch()).second) return;
  st.compute_ns += done.compute_ns();
  note_progress(self);
  go_on(self);
}

void update(trainer_pointer self) {
  auto& st = self->state;
  const adam_step step = make_adam_step(st.config.optimiser, st.config.schedule, st.order.update() + 1, st.gradient_norm);
  auto message = numbered<v1::UpdateWeights>(st);
  message.set_update(st.order.update() + 1);
  message.set_report_state(st.order.report_states());
  message.set_beta1(step.beta1);
  message.set_beta2(step.beta2);
  message.set_epsilon(step.epsilon);
  message.set_kept(step.kept);
  message.set_one_minus_beta1(step.one_minus_beta1);
  message.set_one_minus_beta2(step.one_minus_beta2);
  message.set_rate_by_correction1(step.rate_by_correction1);
  message.set_root_correction2(step.root_correction2);
  message.set_gradient_scale(step.gradient_scale);
  message.set_smoothing_kept(st.config.weights_kept);
  expect_all(st, phase_kind::updating);
  send_to_owners(self, packed<v1::UpdateWeights>{std::move(message)});
}

actor_name culprit(trainer_pointer self, const v1::StepFault& fault) {
  const auto& sender = self->current_sender();
  return {fault.path(), fault.actor_id() != 0 || !sender ? fault.actor_id() : sender->id()};
}

void replace(trainer_pointer self, const actor_name& who, const std::string& reason) {
  v1::AbandonActor message;
  message.set_path(who.path);
  message.set_actor_id(who.id);
  message.set_reason(reason);
  self->send(self->state.config.directory, std::move(message));
}

/// A value was not finite, at the actor `who` where that is known.
void was_not_finite(trainer_pointer self, const std::string& where, const std::optional<actor_name>& who) {
  auto& st = self->state;
  if (++st.non_finite >= trainer_state::non_finite_max)
    return give_up(self, name_of_batch(st.order.batch()) + " gave values that are not finite " + std::to_string(st.non_finite) +
                           " times in a row, first at " + where +
                           " (a smaller learning rate, a longer warm-up or gradient clipping may help)");
  if (who && st.blamed.insert(who->path).second) replace(self, *who, "its answer was not finite");
  attempt_failed(self, "values that are not finite");
}

void on_squares(trainer_pointer self, const v1::GradientSquares& answer) {
  auto& st = self->state;
  if (st.phase != phase_kind::collecting || id_of(answer) != st.now || st.owed.erase(answer.path()) == 0) return;
  note_event(self);
  TROUPE_ASSERT(answer.pieces_size() == answer.sums_size());
  for (int i = 0; i < answer.pieces_size(); ++i) {
    const auto& piece = answer.pieces(i);
    st.squares.push_back({to_slice(piece), answer.sums(i)});
  }
  if (!st.owed.empty()) return;
  st.gradient_norm = norm_of(st.squares);
  if (!std::isfinite(st.gradient_norm)) return was_not_finite(self, "the gradients", std::nullopt);
  update(self);
}

void on_updated(trainer_pointer self, const v1::OwnerUpdated& answer) {
  auto& st = self->state;
  if (st.phase != phase_kind::updating || id_of(answer) != st.now || st.owed.erase(answer.path()) == 0) return;
  note_event(self);
  st.compute_ns += answer.compute_ns();
  st.state_ns += answer.state_ns();
  if (!st.owed.empty()) return;
  st.late_in_a_row = 0;
  auto message = make_report(st, st.order.update() + 1);
  message.set_gradient_norm(st.gradient_norm);
  message.set_rate(st.config.schedule.at(st.order.update() + 1));
  report(self, std::move(message));
}

void on_fault(trainer_pointer self, const v1::StepFault& fault) {
  auto& st = self->state;
  if (st.phase < phase_kind::preparing || id_of(fault) != st.now) return;
  if (fault.kind() == v1::FAULT_KIND_NON_FINITE) return was_not_finite(self, fault.path(), culprit(self, fault));
  if (fault.kind() == v1::FAULT_KIND_BAD_SHAPE) replace(self, culprit(self, fault), "its answer had a wrong shape");
  attempt_failed(self, "an answer of a wrong shape from " + fault.path());
}

void on_order(trainer_pointer self, const v1::RunStep& order, const caf::strong_actor_ptr& client) {
  auto& st = self->state;
  if (order.order() <= st.order.order() && st.client) {
    if (order.order() == st.order.order() && st.last_report)
      self->send(caf::actor_cast<training_client_actor>(client), *st.last_report); // It may have been lost.
    return;
  }
  st.order = order;
  st.last_report.reset();
  st.client = client;
  st.attempts = st.failures = 0;
  st.non_finite = 0;
  st.blamed.clear();
  std::erase_if(st.batches, [&](const auto& one) { return one.first != key_of(order.batch()); });
  begin(self);
}

void on_batch(trainer_pointer self, const v1::TrainingBatch& batch) {
  auto& st = self->state;
  const auto name = key_of(batch.name());
  const bool is_wanted = st.phase == phase_kind::waiting && name == key_of(st.order.batch());
  if (!batch.error().empty()) {
    if (is_wanted) give_up(self, batch.error());
    return; // The next one may not exist.
  }
  st.batches.emplace(name, self->current_mailbox_element()->copy_content_to_message());
  if (is_wanted) begin(self);
}

caf::timespan deadline(const trainer_state& st) {
  const int64_t patience = int64_t(1) << std::min(st.late_in_a_row, 4u);
  if (!st.pauses.is_known()) {
    const double longest = st.config.deadline_factor * double(rows_of(*batch_of(st))) * double(st.config.row_longest.count());
    return caf::timespan(int64_t(std::clamp(longest, double(st.config.deadline_min.count()), double(st.config.deadline_unknown.count())))) *
           patience;
  }
  return std::max(st.config.deadline_min, caf::timespan(int64_t(st.config.deadline_factor * st.pauses.value()))) * patience;
}

/// Nothing has happened for too long, and all owners were asked whether they handle messages.
void blame(trainer_pointer self) {
  auto& st = self->state;
  for (const auto& path : st.config.owners)
    if (!st.alive.contains(path)) replace(self, {path, st.handles.at(path)->id()}, "it holds up a step beyond its deadline");
  ++st.late_in_a_row;
  attempt_failed(self, "it took too long");
}

void on_tick(trainer_pointer self) {
  auto& st = self->state;
  st.ticking = false;
  const caf::timespan passed = self->clock().now() - st.last_event;
  if (passed >= st.config.tick) // Else there is nothing to look at yet.
    st.running += std::min(st.ran.look(self, 2 * st.config.tick), passed);
  if (st.phase == phase_kind::waiting) {
    if (!batch_of(st) && self->clock().now() - st.fetched > st.config.fetch_again) fetch(self, st.order.batch());
  } else if (st.phase != phase_kind::idle) {
    if (st.asked) {
      if (st.running - *st.asked >= st.config.tick / 2) return blame(self);
    } else if (st.running > deadline(st)) {
      st.asked = st.running;
      st.alive.clear();
      send_to_owners(self, packed<v1::ReportProgress>{numbered<v1::ReportProgress>(st)});
    }
  }
  keep_ticking(self);
}

void on_actor_started(trainer_pointer self, const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  auto& st = self->state;
  auto& known = st.handles[started.path()];
  const bool was_known = known != nullptr && handle != known;
  known = handle;
  if (st.phase == phase_kind::waiting) return begin(self);
  if (started.path() != paths::loader && was_known && st.phase != phase_kind::idle) attempt_failed(self, started.path() + " was replaced");
}

} // namespace

trainer_actor::behavior_type trainer(trainer_pointer self, trainer_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.config = std::move(config);
  st.ran.look(self, st.config.tick); // From here on.
  auto everyone = st.config.owners;
  everyone.push_back(paths::loader);
  subscribe(self, st.config.directory, everyone);
  return {[self](const v1::RunStep& order, const caf::strong_actor_ptr& client) { on_order(self, order, client); },
          [self](const v1::TrainingBatch& batch) { on_batch(self, batch); },
          [self](const v1::OwnerReady& ready) { on_ready(self, ready); },
          [self](const v1::BatchLoss& loss) { on_loss(self, loss); },
          [self](const v1::BatchDone& done) { on_done(self, done); },
          [self](const v1::GradientSquares& squares) { on_squares(self, squares); },
          [self](const v1::OwnerUpdated& updated) { on_updated(self, updated); },
          [self](const v1::StepFault& fault) { on_fault(self, fault); },
          [self](const v1::StepProgress& progress) {
            if (id_of(progress) == self->state.now) self->state.alive.insert(progress.path());
          },
          [self](const v1::TrainerTick&) { on_tick(self); },
          [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
          [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
            on_actor_started(self, started, handle);
          }};
}

} // namespace troupe
