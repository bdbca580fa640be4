#include "actors/scheduling/scheduler.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/supervision/supervisor_core.hpp" // send_kill
#include "model/error.hpp"

#include <algorithm>
#include <new>
#include <utility>

namespace troupe {
namespace {

using scheduler_pointer = scheduler_actor::stateful_pointer<scheduler_state>;

v1::ForwardStep make_forward_step(step_id id, const planned_step& planned) {
  v1::ForwardStep message;
  auto& plan = *message.mutable_plan();
  plan.set_epoch(id.epoch);
  plan.set_step(id.step);
  for (const auto& slice : planned.slices) {
    plan.add_sequence_ids(slice.sequence);
    plan.add_positions(slice.position);
    plan.add_rows(slice.rows);
    plan.add_logits_rows(slice.logits_rows);
  }
  const auto is_fork = [](const planned_slice& slice) { return slice.forked_from != 0; };
  if (std::any_of(planned.slices.begin(), planned.slices.end(), is_fork))
    for (const auto& slice : planned.slices) plan.add_forked_from(slice.forked_from);
  for (const auto& [sequence, rows] : planned.sources) {
    plan.add_source_sequence_ids(sequence);
    plan.add_source_rows(rows);
  }
  for (const uint64_t released : planned.released) plan.add_released_sequence_ids(released);
  plan.set_observe_hidden_states(planned.observe_hidden_states);
  message.mutable_tokens()->Add(planned.tokens.begin(), planned.tokens.end());
  message.mutable_segments()->Add(planned.segments.begin(), planned.segments.end());
  message.mutable_source_tokens()->Add(planned.source_tokens.begin(), planned.source_tokens.end());
  message.mutable_pixels()->Add(planned.pixels.begin(), planned.pixels.end());
  return message;
}

void keep_ticking(scheduler_pointer self) {
  auto& st = self->state;
  if (st.ticking || (!st.step && !st.policy.awaits_tokens())) return;
  st.ticking = true;
  self->delayed_send(self, st.config.tick, v1::SchedulerTick{});
}

void step_failed(scheduler_pointer self, batch_policy::failure kind = batch_policy::failure::unknown, const std::string& why = {});

/// Where a step begins.
const std::string& entry_of(const scheduler_state& st, const planned_step& step) {
  return step.sources.empty() ? st.config.entries.front() : st.config.entries.back();
}

/// Starts the next step if nothing is under way, all sequences have answered, and there is something to do.
void pump(scheduler_pointer self) {
  auto& st = self->state;
  if (st.step || st.policy.awaits_tokens()) return keep_ticking(self);
  if (!std::ranges::all_of(st.config.entries, [&](const auto& path) { return st.stages.contains(path); })) return;
  auto planned = st.policy.plan();
  if (!planned) return;
  const auto first = st.stages.find(entry_of(st, *planned));
  const step_id id{self->id(), ++st.steps};
  v1::ForwardStep message;
  bool has_memory = !planned->lacks_memory;
  try {
    if (has_memory) message = make_forward_step(id, *planned);
  } catch (const std::bad_alloc&) {
    has_memory = false;
  }
  st.step.emplace(scheduler_state::step_under_way{id, std::move(*planned), self->clock().now(), {}, caf::timespan(0), std::nullopt, {}});
  if (!has_memory) return step_failed(self, batch_policy::failure::out_of_memory, ": out of memory in " + paths::scheduler);
  self->send(caf::actor_cast<embedding_actor>(first->second), std::move(message));
  keep_ticking(self);
}

/// It is no more the scheduler's business. Returns its handle; null if it was unknown.
sequence_actor forget(scheduler_state& st, uint64_t sequence) {
  const auto known = st.sequences.extract(sequence);
  if (known.empty()) return {};
  const auto actor = st.by_handle.find(known.mapped()->id());
  actor->second.erase(sequence);
  if (actor->second.empty()) st.by_handle.erase(actor);
  return known.mapped();
}

void fail(scheduler_pointer self, const std::vector<uint64_t>& sequences, const std::string& reason) {
  auto& st = self->state;
  for (const uint64_t id : sequences) {
    const auto sequence = forget(st, id);
    if (!sequence) continue;
    v1::FailSequence message;
    message.set_sequence_id(id);
    message.set_reason(reason);
    self->send(sequence, std::move(message));
  }
}

void replace(scheduler_pointer self, const actor_name& who, const std::string& reason) {
  v1::AbandonActor message;
  message.set_path(who.path);
  message.set_actor_id(who.id);
  message.set_reason(reason);
  self->send(self->state.config.directory, std::move(message));
}

/// The step will not be finished, and no request in it can be to blame.
void step_lost(scheduler_pointer self) {
  self->state.step.reset();
  self->state.stats.set_faults(self->state.stats.faults() + 1);
  pump(self);
}

/// The step will not be finished, and no actor or request in particular is to blame.
void step_failed(scheduler_pointer self, batch_policy::failure kind, const std::string& why) {
  auto& st = self->state;
  const auto planned = std::move(st.step->plan);
  st.step.reset();
  st.stats.set_faults(st.stats.faults() + 1);
  const auto given_up = st.policy.failed(planned, kind);
  const bool was_late = kind == batch_policy::failure::late;
  const std::string what = was_late ? "took too long " : "failed ";
  const auto times = was_late ? batch_policy::lates_max : batch_policy::failures_max;
  fail(self, given_up, "running this request " + what + std::to_string(times) + " times in a row" + why);
  pump(self);
}

void account(scheduler_state& st, const v1::LogitsResult& result, caf::timespan took) {
  const auto& step = *st.step;
  const uint64_t wall_ns = step.watch.elapsed_ns(), rows = step.plan.rows();
  if (rows == 0) return;
  // A step that ends after late ones shows that the machine has become slow: it counts twice, because the estimate ignores
  // the slowest duration.
  for (int times = st.late_in_a_row > 0 ? 2 : 1; times > 0; --times) {
    st.step_ns.add(double(took.count()));
    st.row_ns.add(double(took.count()) / double(rows));
  }
  st.policy.measured(step.plan, double(took.count()));
  auto& totals = *(step.plan.has_prefill ? st.stats.mutable_prefill() : st.stats.mutable_decode());
  totals.set_steps(totals.steps() + 1);
  totals.set_rows(totals.rows() + rows);
  totals.set_wall_ns(totals.wall_ns() + wall_ns);
  totals.set_compute_ns(totals.compute_ns() + result.times().compute_ns());
  totals.set_messages(totals.messages() + result.times().messages() + 2 * step.plan.slices.size());
}

/// Passes a message of a step on to the actors whose sequences are in it, to each once: branches of one actor come in any order.
template <class Predicate>
void tell_sequences(scheduler_pointer self, const planned_step& step, const caf::message& message, Predicate concerns) {
  auto& st = self->state;
  const auto is_branch = [](const planned_slice& slice) { return actor_of_branch(slice.sequence) != slice.sequence; };
  const bool has_branches = std::ranges::any_of(step.slices, is_branch);
  std::vector<uint64_t> told;
  for (const auto& slice : step.slices) {
    const auto it = concerns(slice) ? st.sequences.find(slice.sequence) : st.sequences.end();
    if (it == st.sequences.end()) continue;
    if (has_branches) {
      const uint64_t actor = actor_of_branch(slice.sequence);
      if (std::ranges::find(told, actor) != told.end()) continue;
      told.push_back(actor);
    }
    pass_on(self, it->second, message);
  }
}

/// Before the sequences get their first logits.
void tell_reused(scheduler_pointer self, const planned_step& step) {
  for (const auto& reuse : step.reused) {
    const auto known = self->state.sequences.find(reuse.sequence);
    if (!reuse.is_first || known == self->state.sequences.end()) continue;
    v1::PrefixReused message;
    message.set_sequence_id(reuse.sequence);
    message.set_positions(reuse.positions);
    self->send(known->second, std::move(message));
  }
}

void on_logits_result(scheduler_pointer self, const v1::LogitsResult& result) {
  auto& st = self->state;
  if (!st.step || st.step->id != id_of(result.plan())) return;
  account(st, result, self->clock().now() - st.step->started);
  const auto planned = std::move(st.step->plan);
  st.step.reset();
  st.late_in_a_row = 0;
  st.late_paths.clear();
  st.policy.succeeded(planned);
  st.awaiting_since = self->clock().now();
  st.awaiting = caf::timespan(0);
  const auto message = self->current_mailbox_element()->copy_content_to_message(); // Shared, not copied.
  tell_reused(self, planned);
  tell_sequences(self, planned, message, [](const planned_slice& slice) { return slice.logits_rows > 0; });
  pump(self);
}

/// Hidden states between two stages, which the plan asked to observe: passed on to the sequences of the step.
void on_hidden_states(scheduler_pointer self, const v1::HiddenStates& states) {
  auto& st = self->state;
  if (!st.step || st.step->id != id_of(states.plan())) return;
  const auto message = self->current_mailbox_element()->copy_content_to_message();
  tell_sequences(self, st.step->plan, message, [](const planned_slice&) { return true; });
}

/// The actor that a fault is about.
actor_name culprit(scheduler_pointer self, const v1::StepFault& fault) {
  const auto& sender = self->current_sender();
  return {fault.path(), fault.actor_id() != 0 || !sender ? fault.actor_id() : sender->id()};
}

void on_step_fault(scheduler_pointer self, const v1::StepFault& fault) {
  auto& st = self->state;
  if (!st.step || st.step->id != id_of(fault)) return;
  switch (fault.kind()) {
  case v1::FAULT_KIND_CACHE_MISS: {
    std::vector<std::pair<uint64_t, uint32_t>> misses;
    std::vector<uint64_t> without_source;
    for (const auto& miss : fault.misses())
      if (miss.lacks_source()) without_source.push_back(miss.sequence_id());
      else misses.emplace_back(miss.sequence_id(), miss.positions());
    st.policy.missed(misses);
    st.policy.missed_sources(without_source);
    st.step.reset();
    return pump(self);
  }
  case v1::FAULT_KIND_NON_FINITE: {
    std::vector<uint64_t> suspects(fault.suspect_sequence_ids().begin(), fault.suspect_sequence_ids().end());
    if (!st.policy.is_known_poisoned(suspects, fault.path()))
      replace(self, culprit(self, fault), "its answer was not finite");
    st.step.reset();
    st.stats.set_faults(st.stats.faults() + 1);
    fail(self, st.policy.poisoned(suspects, fault.path()),
         "this request produced values that are not finite, first at " + fault.path());
    return pump(self);
  }
  case v1::FAULT_KIND_BAD_SHAPE: replace(self, culprit(self, fault), "its answer had a wrong shape"); return step_failed(self);
  case v1::FAULT_KIND_OUT_OF_MEMORY: return step_failed(self, batch_policy::failure::out_of_memory, ": out of memory in " + fault.path());
  default: return step_failed(self);
  }
}

caf::timespan deadline(const scheduler_state& st) {
  const auto& config = st.config;
  const int64_t patience = int64_t(1) << std::min(st.late_in_a_row, 4u);
  if (!st.step_ns.is_known())
    return std::clamp(config.row_longest * int64_t(st.step->plan.rows()) * patience,
                      config.deadline_unknown_min * patience, config.deadline_unknown);
  const double rows = double(st.step->plan.rows());
  const double ns = config.deadline_factor * std::max(st.step_ns.value(), st.row_ns.value() * rows);
  // Actors that cannot meet the deadline must not be replaced for ever: no step would ever end.
  return std::max(config.deadline_min, caf::timespan(int64_t(ns))) * patience;
}

/// The step is late and all stages were asked about it a tick ago: replaces the actors that hold it up.
void blame(scheduler_pointer self) {
  auto& st = self->state;
  std::vector<actor_name> late, silent;
  for (const auto& path : st.config.stages) {
    const auto answer = st.step->answers.find(path);
    const auto stage = st.stages.find(path);
    if (answer == st.step->answers.end()) silent.push_back({path, stage == st.stages.end() ? 0 : stage->second->id()});
    else if (answer->second.holds_step())
      for (const auto& who : answer->second.waiting_on()) late.push_back({who.path(), who.actor_id()});
  }
  // A stage that says which actors it waits for is healthy, those actors are late. If no stage waits for any, the stages that
  // have not answered are blamed. With neither, a message was lost.
  const auto& blamed = late.empty() ? silent : late;
  for (const auto& who : blamed) replace(self, who, "it holds up a step beyond its deadline");
  const auto was_late = [&](const actor_name& who) { return st.late_paths.contains(who.path); };
  const bool are_new = !blamed.empty() && std::none_of(blamed.begin(), blamed.end(), was_late);
  for (const auto& who : blamed) st.late_paths.insert(who.path);
  // Others than before hang: that does not mean that the machine is slow, and no request is to blame.
  if (are_new) return step_lost(self);
  ++st.late_in_a_row;
  step_failed(self, batch_policy::failure::late);
}

void on_tick(scheduler_pointer self) {
  auto& st = self->state;
  st.ticking = false;
  const auto now = self->clock().now();
  const caf::timespan passed = now - (st.step ? st.step->started : st.awaiting_since);
  if (passed >= st.config.tick) // Else there is nothing to look at yet.
    (st.step ? st.step->running : st.awaiting) += std::min(st.ran.look(self, 2 * st.config.tick), passed);
  if (!st.step && st.policy.awaits_tokens() && st.awaiting > st.config.deadline_min) {
    for (const uint64_t silent : st.policy.ask_again()) {
      const auto sequence = forget(st, silent);
      if (sequence) send_kill(caf::actor_cast<caf::strong_actor_ptr>(sequence));
    }
    st.awaiting_since = now;
    st.awaiting = caf::timespan(0);
  } else if (st.step && st.step->asked) {
    if (st.step->running - *st.step->asked >= st.config.tick / 2) return blame(self);
  } else if (st.step && st.step->running > deadline(st)) {
    st.step->asked = st.step->running;
    v1::ReportProgress query;
    query.set_epoch(st.step->id.epoch);
    query.set_step(st.step->id.step);
    using reporter = caf::typed_actor<caf::reacts_to<v1::ReportProgress>>;
    for (const auto& [path, handle] : st.stages) self->send(caf::actor_cast<reporter>(handle), query);
  }
  pump(self);
}

/// Makes what is kept of a sequence grow. If there is no memory for it, the sequence ends, and its client sends the request again after
/// a while; no other one is concerned.
template <class Change> void grow(scheduler_pointer self, uint64_t id, Change change) {
  try {
    change(self->state.policy);
  } catch (const std::bad_alloc&) {
    self->state.policy.leave(id);
    if (const auto sequence = forget(self->state, id))
      self->send_exit(sequence, make_error(failure::out_of_memory, "out of memory in " + std::string(paths::scheduler)));
  }
  pump(self);
}

void on_join(scheduler_pointer self, const v1::JoinBatch& join) {
  auto& st = self->state;
  TROUPE_ASSERT(join.tokens_size() > 0);
  const auto sequence = caf::actor_cast<sequence_actor>(self->current_sender());
  if (!sequence) return;
  st.sequences.insert_or_assign(join.sequence_id(), sequence);
  auto& of_actor = st.by_handle[sequence->id()];
  if (of_actor.empty()) self->monitor(sequence);
  of_actor.insert(join.sequence_id());
  grow(self, join.sequence_id(), [&](batch_policy& policy) {
    policy.join({.id = join.sequence_id(),
                 .tokens = {join.tokens().begin(), join.tokens().end()},
                 .segments = {join.segments().begin(), join.segments().end()},
                 .source = {join.source_tokens().begin(), join.source_tokens().end()},
                 .pixels = {join.pixels().begin(), join.pixels().end()},
                 .cached = join.cached_positions(),
                 .logits_from = join.logits_from(),
                 .wants_hidden_states = join.want_hidden_states(),
                 .priority = join.priority(),
                 .group = join.group(),
                 .forked_from = join.forked_from(),
                 .tenant = join.tenant(),
                 .tenant_weight = join.tenant_weight()});
  });
}

void on_leave(scheduler_pointer self, uint64_t sequence) {
  forget(self->state, sequence);
  self->state.policy.leave(sequence);
  pump(self);
}

void on_actor_started(scheduler_pointer self, const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  auto& st = self->state;
  auto& known = st.stages[started.path()];
  const bool was_known = known != nullptr;
  known = handle;
  // The scheduler sends a step to the embedding, so it is the one that knows that the step may have been lost there.
  if (was_known && st.step && started.path() == entry_of(st, st.step->plan)) return step_failed(self);
  pump(self);
}

} // namespace

scheduler_actor::behavior_type scheduler(scheduler_pointer self, scheduler_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.policy = batch_policy(state.config.limits);
  state.ran.look(self, state.config.tick); // From here on.
  subscribe(self, state.config.directory, state.config.stages);
  self->set_down_handler([self](const caf::down_msg& down) {
    const auto known = self->state.by_handle.find(down.source.id());
    if (known == self->state.by_handle.end()) return;
    for (const uint64_t sequence : std::set(known->second)) on_leave(self, sequence);
  });
  return {
    [self](const v1::JoinBatch& join) { on_join(self, join); },
    [self](const v1::AppendToken& next) {
      grow(self, next.sequence_id(), [&](batch_policy& policy) { policy.append(next.sequence_id(), next.position(), next.token()); });
    },
    [self](const v1::LeaveBatch& leave) { on_leave(self, leave.sequence_id()); },
    [self](const v1::LogitsResult& result) { on_logits_result(self, result); },
    [self](const v1::HiddenStates& states) { on_hidden_states(self, states); },
    [self](const v1::StepFault& fault) { on_step_fault(self, fault); },
    [self](const v1::StepProgress& progress) {
      auto& step = self->state.step;
      if (step && step->id == id_of(progress)) step->answers[progress.path()] = progress;
    },
    [self](const v1::SchedulerTick&) { on_tick(self); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      on_actor_started(self, started, handle);
    },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
    [self](const v1::GetSchedulerStats&) {
      const auto& policy = self->state.policy;
      auto stats = self->state.stats;
      stats.set_rows_replayed(policy.rows_replayed());
      stats.set_rows_reused(policy.rows_reused());
      stats.set_preemptions(policy.preemptions());
      stats.set_sequences_running(policy.running_sequences());
      stats.set_sequences_waiting(policy.sequences() - policy.running_sequences());
      stats.set_cache_positions(policy.cache_positions());
      stats.set_cache_positions_max(self->state.config.limits.cache_positions_max);
      return stats;
    },
  };
}

} // namespace troupe
