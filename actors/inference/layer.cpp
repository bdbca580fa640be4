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

using round = layer_state::round;

void abandon_rounds(layer_state& st) {
  st.heads.abandon();
  st.cross_heads.abandon();
  st.shards.abandon();
}

void give_up(layer_pointer self, v1::StepFault fault) {
  auto& st = self->state;
  abandon_rounds(st);
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

/// Sequences that own a row that is not finite. values: [rows, width]
std::vector<uint64_t> suspects_in(const layer_state& st, const float_field& values, uint32_t width) {
  return st.config.of_encoder ? non_finite_sources(st.step->plan, values, width) : non_finite_sequences(st.step->plan, values, width);
}

/// Checks the shape and values of the answer of member `index`; when they are wrong, reports the fault and returns false.
template <class Answer, class Handle>
bool accept(layer_pointer self, const Answer& answer, uint32_t width, const fan_out<Handle>& members, uint32_t index) {
  auto& step = *self->state.step;
  if (answer.width() != width || uint64_t(answer.values_size()) != uint64_t(step.rows) * width) {
    give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_BAD_SHAPE, members.name(index)));
    return false;
  }
  const auto suspects = suspects_in(self->state, answer.values(), width);
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

/// What enters a block, [rows, width]: x, through the block's norm where norms are before blocks.
void enter_block(const layer_state& st, const norm_weights& norm, float_field& values) {
  const auto& step = *st.step;
  allocate(values, uint64_t(step.rows) * st.width());
  if (st.part().norms == norm_place::before)
    norm.apply(rows_of(step.residual, step.rows, st.width()), rows_of(values, step.rows, st.width()));
  else std::copy_n(step.residual.data(), step.residual.size(), values.mutable_data());
}

/// A block's result has been added to x.
void leave_block(layer_state& st, const norm_weights& norm) {
  if (st.part().norms == norm_place::before) return;
  const auto x = rows_of(st.step->residual, st.step->rows, st.width());
  norm.apply(x, x);
}

void ask_shards(layer_pointer self, round next, pooled_message<v1::ProjectStep> request) {
  auto& st = self->state;
  st.step->now = next;
  st.shards.ask_all(self, std::move(request));
}

/// Begins attention, or cross-attention.
void ask_heads(layer_pointer self, round next) {
  auto& st = self->state;
  auto& step = *st.step;
  const stopwatch watch;
  const bool is_cross = next == round::cross_attention;
  pooled_message<v1::AttendStep> request;
  *request->mutable_plan() = step.plan;
  request->set_layer(st.config.index);
  request->set_width(st.width());
  enter_block(st, is_cross ? *st.part().cross_attention_norm : st.part().attention_norm, *request->mutable_values());
  if (is_cross) *request->mutable_source_values() = step.source_values;
  const auto& attention = is_cross ? *st.spec().cross_attention : st.spec().attention;
  step.upcoming = make_request(step, is_cross ? v1::PROJECTION_CROSS_ATTENTION_OUTPUT : v1::PROJECTION_ATTENTION_OUTPUT,
                               attention.heads * attention.head_dim);
  step.times.set_compute_ns(step.times.compute_ns() + watch.elapsed_ns());
  step.now = next;
  (is_cross ? st.cross_heads : st.heads).ask_all(self, std::move(request));
}

void ask_inner(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  const stopwatch watch;
  auto request = make_request(step, v1::PROJECTION_FEED_FORWARD_INNER, st.width());
  enter_block(st, st.part().feed_forward_norm, *request->mutable_values());
  step.upcoming = make_request(step, v1::PROJECTION_FEED_FORWARD_OUTER, st.spec().feed_forward.width);
  step.times.set_compute_ns(step.times.compute_ns() + watch.elapsed_ns());
  ask_shards(self, round::inner, std::move(request));
}

void begin(layer_pointer self, v1::HiddenStates& states) {
  auto& st = self->state;
  TROUPE_ASSERT(states.layer() == st.config.index && states.of_encoder() == st.config.of_encoder);
  TROUPE_ASSERT(states.width() == st.width());
  abandon_rounds(st);
  auto& step = st.step.emplace();
  const uint32_t rows = checked_rows(states.plan()), rows_of_sources = source_rows(states.plan());
  step.rows = st.config.of_encoder ? rows_of_sources : rows;
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(step.rows) * st.width());
  TROUPE_ASSERT(st.config.of_encoder || uint64_t(states.source_values_size()) == uint64_t(rows_of_sources) * st.width());
  step.plan.Swap(states.mutable_plan());
  step.times = states.times();
  step.residual.Swap(states.mutable_values());
  step.source_values.Swap(states.mutable_source_values());
  step.tokens.Swap(states.mutable_tokens());
  ask_heads(self, round::attention);
}

void finish(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  if (const auto suspects = suspects_in(st, step.residual, st.width()); !suspects.empty())
    return give_up(self, make_non_finite_fault(step.plan, {st.config.path}, suspects));
  v1::HiddenStates states;
  states.mutable_plan()->Swap(&step.plan);
  states.set_layer(st.config.index + 1);
  states.set_of_encoder(st.config.of_encoder);
  states.set_width(st.width());
  states.mutable_values()->Swap(&step.residual);
  states.mutable_source_values()->Swap(&step.source_values);
  states.mutable_tokens()->Swap(&step.tokens);
  states.mutable_times()->Swap(&step.times);
  states.mutable_times()->set_messages(states.times().messages() + 1);
  st.step.reset();
  st.next.pass(self, std::move(states), st.scheduler);
}

void report_misses(layer_pointer self) {
  const auto& st = self->state;
  auto fault = make_fault(id_of(st.step->plan), v1::FAULT_KIND_CACHE_MISS, {st.config.path});
  for (const auto& [sequence, what] : st.step->misses) {
    auto* miss = fault.add_misses();
    miss->set_sequence_id(sequence);
    miss->set_positions(what.positions);
    miss->set_lacks_source(what.source);
  }
  give_up(self, std::move(fault));
}

void heads_are_done(layer_pointer self) {
  auto& st = self->state;
  auto& step = *st.step;
  if (!step.misses.empty()) return report_misses(self);
  const bool is_cross = step.now == round::cross_attention;
  if (step.rows > 0) return ask_shards(self, is_cross ? round::cross_attention_output : round::attention_output, take_upcoming(step));
  // A step that only releases caches: all heads are to hear of it.
  if (is_cross || st.cross_heads.size() == 0) return finish(self);
  ask_heads(self, round::cross_attention);
}

void shards_are_done(layer_pointer self) {
  auto& st = self->state;
  const auto& part = st.part();
  switch (st.step->now) {
  case round::attention_output:
    leave_block(st, part.attention_norm);
    return part.cross_heads.empty() ? ask_inner(self) : ask_heads(self, round::cross_attention);
  case round::cross_attention_output:
    leave_block(st, *part.cross_attention_norm);
    return ask_inner(self);
  case round::inner: return ask_shards(self, round::outer, take_upcoming(*st.step));
  default:
    leave_block(st, part.feed_forward_norm);
    return finish(self);
  }
}

void note_misses(layer_state::step_under_way& step, const v1::AttendResult& answer) {
  for (const auto& miss : answer.misses()) {
    const auto [held, is_new] = step.misses.emplace(miss.sequence_id(), layer_state::missing{miss.positions(), miss.lacks_source()});
    if (!is_new) held->second.positions = std::min(held->second.positions, miss.positions());
  }
}

void on_attend_result(layer_pointer self, const v1::AttendResult& answer) {
  auto& st = self->state;
  if (!st.is_current(id_of(answer)) || st.step->now != (answer.is_cross() ? round::cross_attention : round::attention)) return;
  auto& heads = answer.is_cross() ? st.cross_heads : st.heads;
  if (!heads.settle(answer.head())) return;
  auto& step = *st.step;
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_OUT_OF_MEMORY, heads.name(answer.head())));
  count_head(step.times, answer.compute_ns());
  note_misses(step, answer);
  if (answer.misses_size() == 0 && step.rows > 0) {
    const uint32_t width = (answer.is_cross() ? st.part().cross_heads : st.part().heads)[answer.head()]->output_columns();
    if (!accept(self, answer, width, heads, answer.head())) return;
    place(answer.values(), width, answer.head() * width, upcoming(step));
  }
  if (heads.complete()) heads_are_done(self);
}

/// The round to which an answer of a shard belongs.
round round_of(v1::Projection projection) {
  switch (projection) {
  case v1::PROJECTION_ATTENTION_OUTPUT: return round::attention_output;
  case v1::PROJECTION_CROSS_ATTENTION_OUTPUT: return round::cross_attention_output;
  case v1::PROJECTION_FEED_FORWARD_INNER: return round::inner;
  case v1::PROJECTION_FEED_FORWARD_OUTER: return round::outer;
  default: throw broken_invariant("a shard of a layer answers projection " + std::to_string(projection));
  }
}

void on_project_result(layer_pointer self, const v1::ProjectResult& answer) {
  auto& st = self->state;
  if (!st.is_current(id_of(answer)) || st.step->now != round_of(answer.projection())) return;
  if (!st.shards.settle(answer.shard())) return;
  auto& step = *st.step;
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(step.plan), v1::FAULT_KIND_OUT_OF_MEMORY, st.shards.name(answer.shard())));
  count_shard(step.times, answer.compute_ns());
  const auto& shard = *st.part().shards[answer.shard()];
  const bool is_inner = step.now == round::inner;
  const range columns = is_inner ? shard.inner_range : shard.width_range;
  if (!accept(self, answer, columns.count, st.shards, answer.shard())) return;
  if (is_inner) place(answer.values(), columns.count, columns.first, upcoming(step));
  else add_to_residual(st, answer.values(), columns);
  if (st.shards.complete()) shards_are_done(self);
}

std::vector<actor_name> waiting_on(const layer_state& st) {
  switch (st.step->now) {
  case round::attention: return st.heads.owing();
  case round::cross_attention: return st.cross_heads.owing();
  default: return st.shards.owing();
  }
}

} // namespace

layer_actor::behavior_type layer(layer_pointer self, layer_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  std::vector<std::string> heads, cross_heads, shards;
  for (uint32_t i = 0; i < state.part().heads.size(); ++i) heads.push_back(paths::head(state.config.path, i));
  for (uint32_t i = 0; i < state.part().cross_heads.size(); ++i) cross_heads.push_back(paths::cross_head(state.config.path, i));
  for (uint32_t i = 0; i < state.part().shards.size(); ++i) shards.push_back(paths::shard(state.config.path, i));
  std::vector<std::string> everyone{state.config.next, paths::scheduler};
  for (const auto* members : {&heads, &cross_heads, &shards}) everyone.insert(everyone.end(), members->begin(), members->end());
  state.heads = fan_out<attention_head_actor>(std::move(heads));
  state.cross_heads = fan_out<attention_head_actor>(std::move(cross_heads));
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
      }
      if (!st.next.replace(self, path, handle, st.scheduler) && !st.heads.replace(self, path, handle) &&
          !st.cross_heads.replace(self, path, handle))
        st.shards.replace(self, path, handle);
    },
  };
}

} // namespace troupe
