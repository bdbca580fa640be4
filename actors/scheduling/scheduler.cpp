#include "actors/scheduling/scheduler.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/supervision/supervisor_core.hpp" // send_kill
#include "model/error.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

namespace troupe {
namespace {

using scheduler_pointer = scheduler_actor::stateful_pointer<scheduler_state>;

using replica = scheduler_state::replica;

v1::ForwardStep make_forward_step(step_id id, uint32_t in_replica, const planned_step& planned) {
  v1::ForwardStep message;
  auto& plan = *message.mutable_plan();
  plan.set_replica(in_replica);
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
  message.mutable_features()->Add(planned.features.begin(), planned.features.end());
  return message;
}

void keep_ticking(scheduler_pointer self) {
  auto& st = self->state;
  const auto waits = [](const replica& on) { return on.step || on.policy.awaits_tokens(); };
  if (st.ticking || std::ranges::none_of(st.replicas, waits)) return;
  st.ticking = true;
  self->delayed_send(self, st.config.tick, v1::SchedulerTick{});
}

void step_failed(scheduler_pointer self, replica& on, batch_policy::failure kind = batch_policy::failure::unknown,
                 const std::string& why = {});

/// Where a step begins.
const std::string& entry_of(const replica& on, const planned_step& step) {
  return step.sources.empty() ? on.known_as.entries.front() : on.known_as.entries.back();
}

/// How long those had to wait that begin in this step.
void note_queue_times(scheduler_state& st, const scheduler_state::step_under_way& step) {
  for (size_t i = 0; i < step.plan.slices.size() && !st.waiting_since.empty(); ++i) {
    const auto known = st.waiting_since.extract(step.plan.slices[i].sequence);
    if (known.empty()) continue;
    const caf::timespan waited = step.started - known.mapped();
    auto& times = *st.stats.mutable_queue_times();
    if (times.counts_size() == 0) times.mutable_counts()->Resize(queue_time_buckets, 0);
    int bucket = 0;
    while (bucket + 1 < queue_time_buckets && waited > queue_time_bound(bucket)) ++bucket;
    times.set_counts(bucket, times.counts(bucket) + 1);
    times.set_sum_ns(times.sum_ns() + uint64_t(std::max<int64_t>(0, waited.count())));
  }
}

/// From the replica in which most sequences wait for their first step: one for this one, which has none.
void take_over_waiting(scheduler_state& st, replica& to) {
  const auto waiting = [](const replica& one) { return one.policy.waiting_sequences(); };
  auto& from = *std::ranges::max_element(st.replicas, {}, waiting);
  if (&from == &to) return;
  auto moved = from.policy.take_movable(from.step ? &from.step->plan : nullptr);
  if (!moved) return;
  st.sequences.at(moved->id).replica = size_t(&to - st.replicas.data());
  to.policy.join(std::move(*moved));
}

/// Starts the replica's next step if nothing is under way in it, all its sequences have answered, and there is something to do.
void pump(scheduler_pointer self, replica& on) {
  auto& st = self->state;
  if (on.step || on.policy.awaits_tokens()) return keep_ticking(self);
  if (!std::ranges::all_of(on.known_as.entries, [&](const auto& path) { return on.stages.contains(path); })) return;
  if (on.policy.sequences() == 0) take_over_waiting(st, on);
  auto planned = on.policy.plan();
  if (!planned) return;
  const auto first = on.stages.find(entry_of(on, *planned));
  const step_id id{self->id(), ++st.steps};
  v1::ForwardStep message;
  bool has_memory = !planned->lacks_memory;
  try {
    if (has_memory) message = make_forward_step(id, uint32_t(&on - st.replicas.data()), *planned);
  } catch (const std::bad_alloc&) {
    has_memory = false;
  }
  on.step.emplace(scheduler_state::step_under_way{id, std::move(*planned), self->clock().now(), {}, caf::timespan(0), std::nullopt, {}});
  if (!has_memory) return step_failed(self, on, batch_policy::failure::out_of_memory, ": out of memory in " + paths::scheduler);
  self->send(caf::actor_cast<embedding_actor>(first->second), std::move(message));
  note_queue_times(st, *on.step);
  keep_ticking(self);
}

/// It is no more the scheduler's business. Returns its handle; null if it was unknown.
sequence_actor forget(scheduler_state& st, uint64_t sequence) {
  const auto known = st.sequences.extract(sequence);
  if (known.empty()) return {};
  st.waiting_since.erase(sequence);
  const auto actor = st.by_handle.find(known.mapped().actor->id());
  actor->second.erase(sequence);
  if (actor->second.empty()) st.by_handle.erase(actor);
  return known.mapped().actor;
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
  self->state.replaced_after[who.path] = self->state.steps;
}

/// Whether a step can have been lost because the scheduler had this actor replaced: the next one, or that after it, may have been on its way
/// to it when it ended.
bool was_replaced_by_order(const scheduler_state& st, const std::string& path, step_id lost) {
  const auto ordered = st.replaced_after.find(path);
  return ordered != st.replaced_after.end() && lost.step <= ordered->second + 2;
}

/// The step will not be finished, and no request in it can be to blame.
void step_lost(scheduler_pointer self, replica& on) {
  on.step.reset();
  self->state.stats.set_faults(self->state.stats.faults() + 1);
  pump(self, on);
}

/// The step will not be finished, and no actor or request in particular is to blame.
void step_failed(scheduler_pointer self, replica& on, batch_policy::failure kind, const std::string& why) {
  auto& st = self->state;
  const auto planned = std::move(on.step->plan);
  on.step.reset();
  st.stats.set_faults(st.stats.faults() + 1);
  const auto given_up = on.policy.failed(planned, kind);
  const bool was_late = kind == batch_policy::failure::late;
  const std::string what = was_late ? "took too long " : "failed ";
  const auto times = was_late ? batch_policy::lates_max : batch_policy::failures_max;
  fail(self, given_up, "running this request " + what + std::to_string(times) + " times in a row" + why);
  pump(self, on);
}

void account(scheduler_state& st, replica& on, const v1::LogitsResult& result, caf::timespan took) {
  const auto& step = *on.step;
  const uint64_t wall_ns = step.watch.elapsed_ns(), rows = step.plan.rows();
  if (rows == 0) return;
  // A step that ends after late ones shows that the machine has become slow: it counts twice, because the estimate ignores
  // the slowest duration.
  for (int times = on.late_in_a_row > 0 ? 2 : 1; times > 0; --times) {
    on.step_ns.add(double(took.count()));
    on.row_ns.add(double(took.count()) / double(rows));
  }
  on.policy.measured(step.plan, double(took.count()));
  add(*st.stats.mutable_times(), result.times());
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
    pass_on(self, it->second.actor, message);
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
    self->send(known->second.actor, std::move(message));
  }
}

void on_logits_result(scheduler_pointer self, const v1::LogitsResult& result) {
  auto& st = self->state;
  auto* on = st.running(id_of(result.plan()));
  if (!on) return;
  account(st, *on, result, self->clock().now() - on->step->started);
  const auto planned = std::move(on->step->plan);
  on->step.reset();
  on->late_in_a_row = 0;
  on->late_paths.clear();
  on->policy.succeeded(planned);
  on->awaiting_since = self->clock().now();
  on->awaiting = caf::timespan(0);
  const auto message = self->current_mailbox_element()->copy_content_to_message(); // Shared, not copied.
  tell_reused(self, planned);
  tell_sequences(self, planned, message, [](const planned_slice& slice) { return slice.logits_rows > 0; });
  pump(self, *on);
}

/// Hidden states between two stages, which the plan asked to observe: passed on to the sequences of the step.
void on_hidden_states(scheduler_pointer self, const v1::HiddenStates& states) {
  const auto* on = self->state.running(id_of(states.plan()));
  if (!on) return;
  const auto message = self->current_mailbox_element()->copy_content_to_message();
  tell_sequences(self, on->step->plan, message, [](const planned_slice&) { return true; });
}

/// The actor that a fault is about.
actor_name culprit(scheduler_pointer self, const v1::StepFault& fault) {
  const auto& sender = self->current_sender();
  return {fault.path(), fault.actor_id() != 0 || !sender ? fault.actor_id() : sender->id()};
}

void on_step_fault(scheduler_pointer self, const v1::StepFault& fault) {
  auto& st = self->state;
  auto* on = st.running(id_of(fault));
  if (!on) return;
  switch (fault.kind()) {
  case v1::FAULT_KIND_CACHE_MISS: {
    std::vector<std::pair<uint64_t, uint32_t>> misses;
    std::vector<uint64_t> without_source;
    for (const auto& miss : fault.misses())
      if (miss.lacks_source()) without_source.push_back(miss.sequence_id());
      else misses.emplace_back(miss.sequence_id(), miss.positions());
    on->policy.missed(misses);
    on->policy.missed_sources(without_source);
    on->step.reset();
    return pump(self, *on);
  }
  case v1::FAULT_KIND_NON_FINITE: {
    std::vector<uint64_t> suspects(fault.suspect_sequence_ids().begin(), fault.suspect_sequence_ids().end());
    if (!on->policy.is_known_poisoned(suspects, fault.path()))
      replace(self, culprit(self, fault), "its answer was not finite");
    on->step.reset();
    st.stats.set_faults(st.stats.faults() + 1);
    fail(self, on->policy.poisoned(suspects, fault.path()),
         "this request produced values that are not finite, first at " + fault.path());
    return pump(self, *on);
  }
  case v1::FAULT_KIND_BAD_SHAPE: replace(self, culprit(self, fault), "its answer had a wrong shape"); return step_failed(self, *on);
  case v1::FAULT_KIND_OUT_OF_MEMORY:
    return step_failed(self, *on, batch_policy::failure::out_of_memory, ": out of memory in " + fault.path());
  case v1::FAULT_KIND_LOST:
    return was_replaced_by_order(st, fault.path(), on->step->id) ? step_lost(self, *on) : step_failed(self, *on);
  default: return step_failed(self, *on);
  }
}

caf::timespan deadline(const scheduler_config& config, const replica& on) {
  const int64_t patience = int64_t(1) << std::min(on.late_in_a_row, 4u);
  if (!on.step_ns.is_known())
    return std::clamp(config.row_longest * int64_t(on.step->plan.rows()) * patience,
                      config.deadline_unknown_min * patience, config.deadline_unknown);
  const double rows = double(on.step->plan.rows());
  const double ns = config.deadline_factor * std::max(on.step_ns.value(), on.row_ns.value() * rows);
  // Actors that cannot meet the deadline must not be replaced for ever: no step would ever end.
  return std::max(config.deadline_min, caf::timespan(int64_t(ns))) * patience;
}

/// The step is late and all stages were asked about it a tick ago: replaces the actors that hold it up.
void blame(scheduler_pointer self, replica& on) {
  if (std::ranges::any_of(on.step->answers, [](const auto& answer) { return answer.second.is_starting(); })) {
    on.step->running = caf::timespan(0); // From here on.
    on.step->asked.reset();
    on.step->answers.clear();
    return keep_ticking(self);
  }
  std::vector<actor_name> late, silent;
  for (const auto& path : on.known_as.stages) {
    const auto answer = on.step->answers.find(path);
    const auto stage = on.stages.find(path);
    if (answer == on.step->answers.end()) silent.push_back({path, stage == on.stages.end() ? 0 : stage->second->id()});
    else if (answer->second.holds_step())
      for (const auto& who : answer->second.waiting_on()) late.push_back({who.path(), who.actor_id()});
  }
  // A stage that says which actors it waits for is healthy, those actors are late. If no stage waits for any, the stages that
  // have not answered are blamed. With neither, a message was lost.
  const auto& blamed = late.empty() ? silent : late;
  for (const auto& who : blamed) replace(self, who, "it holds up a step beyond its deadline");
  const auto was_late = [&](const actor_name& who) { return on.late_paths.contains(who.path); };
  const bool are_new = !blamed.empty() && std::none_of(blamed.begin(), blamed.end(), was_late);
  for (const auto& who : blamed) on.late_paths.insert(who.path);
  // Others than before hang: that does not mean that the machine is slow, and no request is to blame.
  if (are_new) return step_lost(self, on);
  ++on.late_in_a_row;
  step_failed(self, on, batch_policy::failure::late);
}

/// Looks at one replica. ran: how long the threads had the processors since the tick before.
void look_at(scheduler_pointer self, replica& on, caf::timespan ran) {
  auto& st = self->state;
  const auto now = self->clock().now();
  (on.step ? on.step->running : on.awaiting) += std::min(ran, now - (on.step ? on.step->started : on.awaiting_since));
  if (!on.step && on.policy.awaits_tokens() && on.awaiting > st.config.deadline_min) {
    for (const uint64_t silent : on.policy.ask_again()) {
      const auto sequence = forget(st, silent);
      if (sequence) send_kill(caf::actor_cast<caf::strong_actor_ptr>(sequence));
    }
    on.awaiting_since = now;
    on.awaiting = caf::timespan(0);
  } else if (on.step && on.step->asked) {
    if (on.step->running - *on.step->asked >= st.config.tick / 2) return blame(self, on);
  } else if (on.step && on.step->running > deadline(st.config, on)) {
    on.step->asked = on.step->running;
    v1::ReportProgress query;
    query.set_epoch(on.step->id.epoch);
    query.set_step(on.step->id.step);
    using reporter = caf::typed_actor<caf::reacts_to<v1::ReportProgress>>;
    for (const auto& [path, handle] : on.stages) self->send(caf::actor_cast<reporter>(handle), query);
  }
  pump(self, on);
}

void on_tick(scheduler_pointer self) {
  auto& st = self->state;
  st.ticking = false;
  const auto now = self->clock().now();
  const auto passed = [&](const replica& on) { return now - (on.step ? on.step->started : on.awaiting_since) >= st.config.tick; };
  caf::timespan ran{0};
  if (std::ranges::any_of(st.replicas, passed)) // Else there is nothing to look at yet.
    ran = st.ran.look(self, 2 * st.config.tick);
  for (auto& on : st.replicas) look_at(self, on, passed(on) ? ran : caf::timespan(0));
}

/// Makes what is kept of a sequence grow. If there is no memory for it, the sequence ends, and its client sends the request again after
/// a while; no other one is concerned.
template <class Change> void grow(scheduler_pointer self, uint64_t id, Change change) {
  auto& st = self->state;
  auto* on = st.of_sequence(id);
  if (!on) return;
  try {
    change();
    on = st.of_sequence(id);
  } catch (const std::bad_alloc&) {
    on->policy.leave(id);
    if (const auto sequence = forget(st, id))
      self->send_exit(sequence, make_error(failure::out_of_memory, "out of memory in " + std::string(paths::scheduler)));
  }
  pump(self, *on);
}

/// For a sequence that has just come. See scheduler_state.
size_t choose_replica(const scheduler_state& st, const joining_sequence& joining, size_t held_in, const std::set<uint64_t>& of_actor) {
  const size_t count = st.replicas.size();
  if (count == 1) return 0;
  for (const uint64_t id : of_actor) // Others of its request.
    if (id != joining.id) return st.sequences.at(id).replica;
  if (joining.cached > 0 && held_in < count) return held_in;
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < count; ++i)
    if (const double ns = st.replicas[i].policy.expected_ns(joining); ns < least) {
      least = ns;
      best = i;
    }
  return best;
}

joining_sequence to_joining(const v1::JoinBatch& join) {
  return {.id = join.sequence_id(),
          .tokens = {join.tokens().begin(), join.tokens().end()},
          .segments = {join.segments().begin(), join.segments().end()},
          .source = {join.source_tokens().begin(), join.source_tokens().end()},
          .features = {join.features().begin(), join.features().end()},
          .cached = join.cached_positions(),
          .logits_from = join.logits_from(),
          .wants_hidden_states = join.want_hidden_states(),
          .priority = join.priority(),
          .group = join.group(),
          .forked_from = join.forked_from(),
          .tenant = join.tenant(),
          .tenant_weight = join.tenant_weight()};
}

void on_join(scheduler_pointer self, const v1::JoinBatch& join) {
  auto& st = self->state;
  TROUPE_ASSERT(join.tokens_size() > 0);
  const auto sequence = caf::actor_cast<sequence_actor>(self->current_sender());
  if (!sequence) return;
  const auto [known, is_new] = st.sequences.try_emplace(join.sequence_id());
  auto& member = known->second;
  member.actor = sequence;
  auto& of_actor = st.by_handle[sequence->id()];
  if (of_actor.empty()) self->monitor(sequence);
  of_actor.insert(join.sequence_id());
  grow(self, join.sequence_id(), [&, is_new = is_new] {
    auto joining = to_joining(join);
    if (is_new) member.replica = choose_replica(st, joining, join.replica(), of_actor);
    if (is_new && joining.cached == 0) st.waiting_since.emplace(joining.id, self->clock().now());
    st.replicas[member.replica].policy.join(std::move(joining));
  });
}

void on_leave(scheduler_pointer self, uint64_t sequence) {
  auto& st = self->state;
  auto* on = st.of_sequence(sequence);
  if (!on) return;
  forget(st, sequence);
  on->policy.leave(sequence);
  pump(self, *on);
}

void on_actor_started(scheduler_pointer self, const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  for (auto& on : self->state.replicas) {
    if (std::ranges::find(on.known_as.stages, started.path()) == on.known_as.stages.end()) continue;
    auto& known = on.stages[started.path()];
    const bool was_known = known != nullptr;
    known = handle;
    // The scheduler sends a step to the embedding, so it is the one that knows that the step may have been lost there.
    const bool is_lost = was_known && on.step && started.path() == entry_of(on, on.step->plan);
    if (!is_lost) pump(self, on);
    else if (was_replaced_by_order(self->state, started.path(), on.step->id)) step_lost(self, on);
    else step_failed(self, on);
  }
}

v1::SchedulerStats statistics(const scheduler_state& st) {
  auto stats = st.stats;
  const auto add = [&](auto get, auto set) {
    uint64_t sum = 0;
    for (const auto& on : st.replicas) sum += get(on.policy);
    (stats.*set)(sum);
  };
  using policy = const batch_policy&;
  add([](policy one) { return one.rows_replayed(); }, &v1::SchedulerStats::set_rows_replayed);
  add([](policy one) { return one.rows_reused(); }, &v1::SchedulerStats::set_rows_reused);
  add([](policy one) { return one.preemptions(); }, &v1::SchedulerStats::set_preemptions);
  add([](policy one) { return one.running_sequences(); }, &v1::SchedulerStats::set_sequences_running);
  add([](policy one) { return one.sequences() - one.running_sequences(); }, &v1::SchedulerStats::set_sequences_waiting);
  add([](policy one) { return one.cache_positions(); }, &v1::SchedulerStats::set_cache_positions);
  add([&](policy) { return st.config.limits.cache_positions_max; }, &v1::SchedulerStats::set_cache_positions_max);
  return stats;
}

} // namespace

scheduler_actor::behavior_type scheduler(scheduler_pointer self, scheduler_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  std::vector<std::string> stages;
  for (const auto& each : state.config.replicas) {
    auto& on = state.replicas.emplace_back();
    on.known_as = each;
    on.policy = batch_policy(state.config.limits);
    stages.insert(stages.end(), each.stages.begin(), each.stages.end());
  }
  state.ran.look(self, state.config.tick); // From here on.
  subscribe(self, state.config.directory, stages);
  self->set_down_handler([self](const caf::down_msg& down) {
    const auto known = self->state.by_handle.find(down.source.id());
    if (known == self->state.by_handle.end()) return;
    for (const uint64_t sequence : std::set(known->second)) on_leave(self, sequence);
  });
  return {
    [self](const v1::JoinBatch& join) { on_join(self, join); },
    [self](const v1::AppendToken& next) {
      const uint64_t id = next.sequence_id();
      grow(self, id, [&] { self->state.of_sequence(id)->policy.append(id, next.position(), next.token()); });
    },
    [self](const v1::LeaveBatch& leave) { on_leave(self, leave.sequence_id()); },
    [self](const v1::LogitsResult& result) { on_logits_result(self, result); },
    [self](const v1::HiddenStates& states) { on_hidden_states(self, states); },
    [self](const v1::StepFault& fault) { on_step_fault(self, fault); },
    [self](const v1::StepProgress& progress) {
      if (auto* on = self->state.running(id_of(progress))) on->step->answers[progress.path()] = progress;
    },
    [self](const v1::SchedulerTick&) { on_tick(self); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      on_actor_started(self, started, handle);
    },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
    [self](const v1::GetSchedulerStats&) { return statistics(self->state); },
  };
}

scheduler_state::replica* scheduler_state::running(step_id step) {
  const auto found = std::ranges::find_if(replicas, [&](const replica& one) { return one.step && one.step->id == step; });
  return found == replicas.end() ? nullptr : &*found;
}

scheduler_state::replica* scheduler_state::of_sequence(uint64_t sequence) {
  const auto known = sequences.find(sequence);
  return known == sequences.end() ? nullptr : &replicas[known->second.replica];
}

} // namespace troupe
