#include "actors/inference/output.hpp"

#include "actors/supervision/failure.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe {
namespace {

using output_pointer = output_actor::stateful_pointer<output_state>;

void give_up(output_pointer self, v1::StepFault fault) {
  self->state.shards.abandon();
  self->state.step.reset();
  self->state.scheduler.send(self, std::move(fault));
}

/// The result is built once and shared: the scheduler passes the same message to all sequences of the step.
void finish(output_pointer self) {
  auto& st = self->state;
  static_assert(accepts<scheduler_actor, v1::LogitsResult>);
  auto result = std::move(st.step->result).seal();
  st.step.reset();
  st.scheduler.post(self, std::move(result));
}

/// Of rows that no shard computes.
void add_row_sums(v1::LogitsResult& result) {
  const float* row = result.values().data();
  for (auto& sum : *result.mutable_row_sums()) {
    sum = sum_of_bits({row, result.width()});
    row += result.width();
  }
}

/// The rows that want logits, without gaps, as they enter the output's matrices: the last ones of each slice, or the first.
void enter_wanted(const output_state& st, const v1::HiddenStates& states, float_field& values) {
  const uint32_t width = states.width();
  const bool is_first = st.part().spec.of_first_row;
  const float* from = states.values().data();
  float* to = values.mutable_data();
  for (int i = 0; i < states.plan().rows_size(); ++i) {
    const uint32_t rows = states.plan().rows(i), wanted = states.plan().logits_rows(i);
    st.part().enter({from + (is_first ? 0 : uint64_t(rows - wanted) * width), wanted, width, width}, {to, wanted, width, width});
    from += uint64_t(rows) * width;
    to += uint64_t(wanted) * width;
  }
}

pooled_message<v1::ProjectStep> make_request(const output_state& st, v1::Projection projection) {
  const auto& plan = st.step->result->plan();
  const uint32_t width = st.config.model->spec.width;
  pooled_message<v1::ProjectStep> request;
  request->set_epoch(plan.epoch());
  request->set_step(plan.step());
  request->set_projection(projection);
  request->set_rows(st.step->rows);
  request->set_width(width);
  allocate(*request->mutable_values(), uint64_t(st.step->rows) * width);
  return request;
}

void ask_shards(output_pointer self, pooled_message<v1::ProjectStep> request) {
  self->state.step->round = request->projection();
  self->state.shards.ask_all(self, std::move(request));
}

void begin(output_pointer self, const v1::HiddenStates& states) {
  auto& st = self->state;
  const auto& spec = st.config.model->spec;
  const uint32_t all_rows = checked_rows(states.plan());
  TROUPE_ASSERT(states.layer() == spec.layers.size() && !states.of_encoder());
  TROUPE_ASSERT(states.width() == spec.width);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(all_rows) * spec.width);
  const stopwatch watch;
  st.shards.abandon();
  auto& step = st.step.emplace();
  for (const uint32_t wanted : states.plan().logits_rows()) step.rows += wanted;
  auto& result = *step.result;
  *result.mutable_plan() = states.plan();
  *result.mutable_times() = states.times();
  result.set_width(spec.output.columns);
  if (step.rows == 0) return finish(self);
  allocate(*result.mutable_values(), uint64_t(step.rows) * spec.output.columns);
  result.mutable_row_sums()->Resize(int(step.rows), 0);
  auto& times = *result.mutable_times();
  if (spec.output.kind == output_spec::result::hidden_states) {
    enter_wanted(st, states, *result.mutable_values());
    add_row_sums(result);
    times.set_compute_ns(times.compute_ns() + watch.elapsed_ns());
    return finish(self);
  }
  auto request = make_request(st, spec.output.transform ? v1::PROJECTION_OUTPUT_TRANSFORM : v1::PROJECTION_LOGITS);
  enter_wanted(st, states, *request->mutable_values());
  times.set_compute_ns(times.compute_ns() + watch.elapsed_ns());
  if (spec.output.transform) step.transformed = make_request(st, v1::PROJECTION_LOGITS);
  ask_shards(self, std::move(request));
}

void transform_is_done(output_pointer self) {
  auto& st = self->state;
  const stopwatch watch;
  auto request = *std::exchange(st.step->transformed, std::nullopt);
  st.part().finish_transform(rows_of(*request->mutable_values(), st.step->rows, request->width()));
  auto& times = *st.step->result->mutable_times();
  times.set_compute_ns(times.compute_ns() + watch.elapsed_ns());
  ask_shards(self, std::move(request));
}

/// Copies a shard's columns to where they belong and adds up what the bits of each row come to, one row after the other, while it is in the
/// nearest caches. False: some are not finite.
bool place(const v1::ProjectResult& answer, range columns, uint32_t width, float_field& values, v1::LogitsResult* sums_of) {
  float* to = values.mutable_data() + columns.first;
  const float* from = answer.values().data();
  const uint32_t rows = uint32_t(answer.values_size()) / std::max(columns.count, 1u);
  bool are_finite = true;
  for (uint32_t r = 0; r < rows; ++r, from += columns.count, to += width) {
    const std::span<const float> row(from, columns.count);
    are_finite &= is_finite(row);
    std::ranges::copy(row, to);
    if (sums_of != nullptr) (*sums_of->mutable_row_sums())[int(r)] += sum_of_bits(row);
  }
  return are_finite;
}

/// Which sequences own the non-finite rows of an answer. Its rows are those that want logits, in plan order.
std::vector<uint64_t> suspects_in(const v1::StepPlan& plan, const v1::ProjectResult& answer) {
  std::vector<uint64_t> found;
  const float* row = answer.values().data();
  for (int i = 0; i < plan.sequence_ids_size(); ++i) {
    const size_t n = size_t(plan.logits_rows(i)) * answer.width();
    if (!is_finite({row, n})) found.push_back(plan.sequence_ids(i));
    row += n;
  }
  return found;
}

void on_project_result(output_pointer self, const v1::ProjectResult& answer) {
  auto& st = self->state;
  if (!st.is_current(id_of(answer)) || st.step->round != answer.projection() || !st.shards.settle(answer.shard())) return;
  auto& step = *st.step;
  const auto& plan = step.result->plan();
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(plan), v1::FAULT_KIND_OUT_OF_MEMORY, st.shards.name(answer.shard())));
  const bool is_transform = step.round == v1::PROJECTION_OUTPUT_TRANSFORM;
  const auto& shard = *st.part().shards[answer.shard()];
  const range columns = is_transform ? shard.transform_columns : shard.columns;
  if (answer.width() != columns.count || uint64_t(answer.values_size()) != uint64_t(step.rows) * columns.count)
    return give_up(self, make_fault(id_of(plan), v1::FAULT_KIND_BAD_SHAPE, st.shards.name(answer.shard())));
  auto& values = is_transform ? *(**step.transformed).mutable_values() : *step.result->mutable_values();
  const uint32_t width = is_transform ? st.config.model->spec.width : step.result->width();
  if (!place(answer, columns, width, values, is_transform ? nullptr : &*step.result))
    return give_up(self, make_non_finite_fault(plan, st.shards.name(answer.shard()), suspects_in(plan, answer)));
  count_shard(*step.result->mutable_times(), answer.compute_ns());
  if (!st.shards.complete()) return;
  if (is_transform) transform_is_done(self);
  else finish(self);
}

} // namespace

output_actor::behavior_type output(output_pointer self, output_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  std::vector<std::string> shards;
  for (uint32_t i = 0; i < state.part().shards.size(); ++i) shards.push_back(paths::shard(state.config.path, i));
  auto everyone = shards;
  everyone.push_back(paths::scheduler);
  state.shards = fan_out<projection_shard_actor>(std::move(shards));
  subscribe(self, state.config.directory, everyone);
  return {
    [self](const v1::HiddenStates& states) {
      if (!self->state.gate.admit(id_of(states.plan()))) return;
      try {
        begin(self, states);
      } catch (const std::bad_alloc&) {
        give_up(self, make_fault(id_of(states.plan()), v1::FAULT_KIND_OUT_OF_MEMORY, {self->state.config.path}));
      }
    },
    [self](const v1::ReportProgress& query) {
      const auto& st = self->state;
      const bool holds = st.is_current(id_of(query));
      if (const auto to = asker_of<v1::StepProgress>(self))
        self->send(to, make_progress(query, st.config.path, holds, holds ? st.shards.owing() : std::vector<actor_name>{}));
    },
    [self](const v1::ProjectResult& answer) {
      try {
        on_project_result(self, answer);
      } catch (const std::bad_alloc&) {
        give_up(self, make_fault(id_of(answer), v1::FAULT_KIND_OUT_OF_MEMORY, {self->state.config.path}));
      }
    },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      if (started.path() == paths::scheduler) st.scheduler.replace(self, handle);
      else st.shards.replace(self, started.path(), handle);
    },
  };
}

} // namespace troupe
