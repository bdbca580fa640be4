#include "actors/inference/layer.hpp"

#include "actors/supervision/failure.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace troupe {
namespace {

using layer_pointer = layer_actor::stateful_pointer<layer_state>;

void give_up(layer_pointer self, v1::StepFault fault) {
  auto& st = self->state;
  st.heads.abandon();
  st.shards.abandon();
  st.step.reset();
  st.scheduler.send(self, std::move(fault));
}

/// Does what is to be done for a step; when there is no memory for it, gives the step up.
template <class Work> void with_memory(layer_pointer self, step_id step, Work work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    give_up(self, make_fault(step, v1::FAULT_KIND_OUT_OF_MEMORY, {self->state.config.path}));
  }
}

/// Checks the shape and values of the answer of member `index`; when they are wrong, reports the fault and returns false.
template <class Answer, class Handle>
bool accept(layer_pointer self, const Answer& answer, uint32_t width, const fan_out<Handle>& members, uint32_t index) {
  auto& step = *self->state.step;
  if (answer.width() != width || uint64_t(answer.values_size()) != uint64_t(step.rows) * width) {
    give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_BAD_SHAPE, members.name(index)));
    return false;
  }
  const auto suspects = non_finite_sequences(step.plan, answer.values(), width);
  if (!suspects.empty()) give_up(self, make_non_finite_fault(step.plan, members.name(index), suspects));
  return suspects.empty();
}

pooled_message<v1::ProjectStep> make_request(const layer_state::step_under_way& step, v1::Projection projection, uint32_t width) {
  pooled_message<v1::ProjectStep> request;
  request->set_epoch(step.plan.epoch());
  request->set_step(step.plan.step());
  request->set_projection(projection);
  request->set_rows(step.rows);
  request->set_width(width);
  allocate(*request->mutable_values(), uint64_t(step.rows) * width);
  return request;
}

/// Copies an answer to its columns of the next round's request.
void place(const float_field& values, uint32_t width, uint32_t first_column, v1::ProjectStep& request) {
  const float* from = values.data();
  float* to = request.mutable_values()->mutable_data() + first_column;
  for (uint32_t r = 0; r < request.rows(); ++r, from += width, to += request.width()) std::copy_n(from, width, to);
}

/// Adds an answer to its columns of the residual stream. Each element gets exactly one summand a round, so the order in
/// which answers arrive does not matter.
void add_to_residual(layer_state& st, const float_field& values, range columns) {
  float* x = st.step->residual.mutable_data() + columns.first;
  const float* y = values.data();
  for (uint32_t r = 0; r < st.step->rows; ++r, x += st.width(), y += columns.count)
    add({x, columns.count}, {y, columns.count});
}

/// The next round's request, while this round's answers are being put into it.
v1::ProjectStep& upcoming(layer_state::step_under_way& step) {
  TROUPE_ASSERT(step.upcoming.has_value());
  return **step.upcoming;
}

pooled_message<v1::ProjectStep> take_upcoming(layer_state::step_under_way& step) {
  TROUPE_ASSERT(step.upcoming.has_value());
  return *std::exchange(step.upcoming, std::nullopt);
}

void ask_shards(layer_pointer self, pooled_message<v1::ProjectStep> request) {
  auto& st = self->state;
  st.step->round = request->projection();
  st.shards.ask_all(self, std::move(request));
}

void ask_heads(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  const stopwatch watch;
  pooled_message<v1::AttendStep> request;
  *request->mutable_plan() = step.plan;
  request->set_layer(st.config.index);
  request->set_width(st.width());
  allocate(*request->mutable_values(), uint64_t(step.rows) * st.width());
  st.part().attention_norm.apply(rows_of(std::as_const(step.residual), step.rows, st.width()),
                                 rows_of(*request->mutable_values(), step.rows, st.width()));
  const auto& attention = st.spec().attention;
  step.upcoming = make_request(step, v1::PROJECTION_ATTENTION_OUTPUT, attention.heads * attention.head_dim);
  step.times.set_compute_ns(step.times.compute_ns() + watch.elapsed_ns());
  st.heads.ask_all(self, std::move(request));
}

void begin(layer_pointer self, v1::HiddenStates& states) {
  auto& st = self->state;
  TROUPE_ASSERT(states.layer() == st.config.index);
  TROUPE_ASSERT(states.width() == st.width());
  st.heads.abandon();
  st.shards.abandon();
  auto& step = st.step.emplace();
  step.rows = checked_rows(states.plan());
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(step.rows) * st.width());
  step.plan.Swap(states.mutable_plan());
  step.times = states.times();
  step.residual.Swap(states.mutable_values());
  ask_heads(self);
}

void finish(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  if (const auto suspects = non_finite_sequences(step.plan, step.residual, st.width()); !suspects.empty())
    return give_up(self, make_non_finite_fault(step.plan, {st.config.path}, suspects));
  v1::HiddenStates states;
  states.mutable_plan()->Swap(&step.plan);
  states.set_layer(st.config.index + 1);
  states.set_width(st.width());
  states.mutable_values()->Swap(&step.residual);
  states.mutable_times()->Swap(&step.times);
  states.mutable_times()->set_messages(states.times().messages() + 1);
  st.step.reset();
  st.next.pass(self, std::move(states), st.scheduler);
}

void heads_are_done(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  if (!step.misses.empty()) {
    auto fault = make_fault(id_of(step.plan), v1::FAULT_KIND_CACHE_MISS, {st.config.path});
    for (const auto& [sequence, positions] : step.misses) {
      auto* miss = fault.add_misses();
      miss->set_sequence_id(sequence);
      miss->set_positions(positions);
    }
    return give_up(self, std::move(fault));
  }
  if (step.rows == 0) return finish(self); // A step that only releases caches.
  ask_shards(self, take_upcoming(step));
}

void shards_are_done(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  if (step.round == v1::PROJECTION_FEED_FORWARD_OUTER) return finish(self);
  if (step.round == v1::PROJECTION_FEED_FORWARD_INNER) return ask_shards(self, take_upcoming(step));
  const stopwatch watch;
  auto request = make_request(step, v1::PROJECTION_FEED_FORWARD_INNER, st.width());
  st.part().feed_forward_norm.apply(rows_of(std::as_const(step.residual), step.rows, st.width()),
                                    rows_of(*request->mutable_values(), step.rows, st.width()));
  step.upcoming = make_request(step, v1::PROJECTION_FEED_FORWARD_OUTER, st.spec().feed_forward.width);
  step.times.set_compute_ns(step.times.compute_ns() + watch.elapsed_ns());
  ask_shards(self, std::move(request));
}

void count(v1::StepTimes& times, uint64_t compute_ns) {
  times.set_compute_ns(times.compute_ns() + compute_ns);
  times.set_messages(times.messages() + 2); // The request and the answer.
}

void on_attend_result(layer_pointer self, const v1::AttendResult& answer) {
  auto& st = self->state;
  if (!st.is_current(id_of(answer)) || st.step->round != v1::PROJECTION_UNSPECIFIED) return;
  if (!st.heads.settle(answer.head())) return;
  auto& step = *st.step;
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_OUT_OF_MEMORY, st.heads.name(answer.head())));
  count(step.times, answer.compute_ns());
  for (const auto& miss : answer.misses()) {
    const auto [held, is_new] = step.misses.emplace(miss.sequence_id(), miss.positions());
    if (!is_new) held->second = std::min(held->second, miss.positions());
  }
  if (answer.misses_size() == 0 && step.rows > 0) {
    const uint32_t width = st.part().heads[answer.head()]->output_columns();
    if (!accept(self, answer, width, st.heads, answer.head())) return;
    place(answer.values(), width, answer.head() * width, upcoming(step));
  }
  if (st.heads.complete()) heads_are_done(self);
}

void on_project_result(layer_pointer self, const v1::ProjectResult& answer) {
  auto& st = self->state;
  if (!st.is_current(id_of(answer)) || st.step->round != answer.projection()) return;
  if (!st.shards.settle(answer.shard())) return;
  auto& step = *st.step;
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_OUT_OF_MEMORY, st.shards.name(answer.shard())));
  count(step.times, answer.compute_ns());
  const auto& shard = *st.part().shards[answer.shard()];
  const bool is_inner = answer.projection() == v1::PROJECTION_FEED_FORWARD_INNER;
  const range columns = is_inner ? shard.inner_range : shard.width_range;
  if (!accept(self, answer, columns.count, st.shards, answer.shard())) return;
  if (is_inner) place(answer.values(), columns.count, columns.first, upcoming(step));
  else add_to_residual(st, answer.values(), columns);
  if (st.shards.complete()) shards_are_done(self);
}

std::vector<actor_name> waiting_on(const layer_state& st) {
  return st.step->round == v1::PROJECTION_UNSPECIFIED ? st.heads.owing() : st.shards.owing();
}

} // namespace

layer_actor::behavior_type layer(layer_pointer self, layer_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  std::vector<std::string> heads, shards;
  for (uint32_t i = 0; i < state.part().heads.size(); ++i) heads.push_back(paths::head(state.config.path, i));
  for (uint32_t i = 0; i < state.part().shards.size(); ++i) shards.push_back(paths::shard(state.config.path, i));
  std::vector<std::string> everyone{state.config.next, paths::scheduler};
  everyone.insert(everyone.end(), heads.begin(), heads.end());
  everyone.insert(everyone.end(), shards.begin(), shards.end());
  state.heads = fan_out<attention_head_actor>(std::move(heads));
  state.shards = fan_out<projection_shard_actor>(std::move(shards));
  state.next = next_stage(state.config.next);
  subscribe(self, state.config.directory, everyone);
  return {
    // By reference, not const: the hidden states move in without a copy when no other actor has a reference to the message.
    [self](v1::HiddenStates& states) {
      const auto step = id_of(states.plan());
      if (self->state.gate.admit(step)) with_memory(self, step, [&] { begin(self, states); });
    },
    [self](const v1::ReportProgress& query) {
      const auto& st = self->state;
      const bool holds = st.is_current(id_of(query));
      if (const auto to = asker_of<v1::StepProgress>(self))
        self->send(to, make_progress(query, st.config.path, holds, holds ? waiting_on(st) : std::vector<actor_name>{}));
    },
    [self](const v1::AttendResult& answer) { with_memory(self, id_of(answer), [&] { on_attend_result(self, answer); }); },
    [self](const v1::ProjectResult& answer) { with_memory(self, id_of(answer), [&] { on_project_result(self, answer); }); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      const auto& path = started.path();
      if (path == paths::scheduler) {
        st.scheduler.replace(self, handle);
        st.next.scheduler_is_known(self);
      } else if (!st.next.replace(self, path, handle, st.scheduler) && !st.heads.replace(self, path, handle))
        st.shards.replace(self, path, handle);
    },
  };
}

} // namespace troupe
