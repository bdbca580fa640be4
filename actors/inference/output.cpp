#include "actors/inference/output.hpp"

#include "actors/supervision/failure.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <new>
#include <string>
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
  auto result = std::move(st.step->result);
  const float* row = result.values().data();
  for (uint32_t r = 0; r < st.step->rows; ++r, row += result.vocabulary())
    result.add_row_sums(sum_of_bits({row, result.vocabulary()}));
  st.step.reset();
  st.scheduler.send(self, std::move(result));
}

/// Applies the final norm to the rows that want logits, and packs the results without gaps.
void normalize_wanted(const output_state& st, const v1::HiddenStates& states, v1::ProjectStep& request) {
  const uint32_t width = states.width();
  const float* from = states.values().data();
  float* to = request.mutable_values()->mutable_data();
  for (int i = 0; i < states.plan().rows_size(); ++i) {
    const uint32_t rows = states.plan().rows(i), wanted = states.plan().logits_rows(i);
    st.part().norm.apply({from + uint64_t(rows - wanted) * width, wanted, width, width}, {to, wanted, width, width});
    from += uint64_t(rows) * width;
    to += uint64_t(wanted) * width;
  }
}

void begin(output_pointer self, const v1::HiddenStates& states) {
  auto& st = self->state;
  const auto& spec = st.config.model->spec;
  const uint32_t all_rows = checked_rows(states.plan());
  TROUPE_ASSERT(states.layer() == spec.layers.size());
  TROUPE_ASSERT(states.width() == spec.width);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(all_rows) * spec.width);
  const stopwatch watch;
  st.shards.abandon();
  auto& step = st.step.emplace();
  for (const uint32_t wanted : states.plan().logits_rows()) step.rows += wanted;
  *step.result.mutable_plan() = states.plan();
  *step.result.mutable_times() = states.times();
  step.result.set_vocabulary(spec.vocabulary);
  if (step.rows == 0) return finish(self);
  allocate(*step.result.mutable_values(), uint64_t(step.rows) * spec.vocabulary);

  pooled_message<v1::ProjectStep> request;
  request->set_epoch(states.plan().epoch());
  request->set_step(states.plan().step());
  request->set_projection(v1::PROJECTION_LOGITS);
  request->set_rows(step.rows);
  request->set_width(spec.width);
  allocate(*request->mutable_values(), uint64_t(step.rows) * spec.width);
  normalize_wanted(st, states, *request);
  auto& times = *step.result.mutable_times();
  times.set_compute_ns(times.compute_ns() + watch.elapsed_ns());
  st.shards.ask_all(self, std::move(request));
}

/// Which sequences own the non-finite rows of an answer. Its rows are those that want logits, in plan order.
std::vector<uint64_t> suspects_in(const v1::StepPlan& plan, const v1::ProjectResult& answer) {
  std::vector<uint64_t> found;
  if (is_finite({answer.values().data(), size_t(answer.values_size())})) return found;
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
  if (!st.is_current(id_of(answer)) || !st.shards.settle(answer.shard())) return;
  auto& step = *st.step;
  const auto& plan = step.result.plan();
  if (answer.out_of_memory())
    return give_up(self, make_fault(id_of(plan), v1::FAULT_KIND_OUT_OF_MEMORY, st.shards.name(answer.shard())));
  const range columns = st.part().shards[answer.shard()]->columns;
  if (answer.width() != columns.count || uint64_t(answer.values_size()) != uint64_t(step.rows) * columns.count)
    return give_up(self, make_fault(id_of(plan), v1::FAULT_KIND_BAD_SHAPE, st.shards.name(answer.shard())));
  if (const auto suspects = suspects_in(plan, answer); !suspects.empty())
    return give_up(self, make_non_finite_fault(plan, st.shards.name(answer.shard()), suspects));
  float* to = step.result.mutable_values()->mutable_data() + columns.first;
  const float* from = answer.values().data();
  for (uint32_t r = 0; r < step.rows; ++r, from += columns.count, to += step.result.vocabulary())
    std::copy_n(from, columns.count, to);
  auto& times = *step.result.mutable_times();
  times.set_compute_ns(times.compute_ns() + answer.compute_ns());
  times.set_messages(times.messages() + 2);
  if (st.shards.complete()) finish(self);
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
    [self](const v1::ProjectResult& answer) { on_project_result(self, answer); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      if (started.path() == paths::scheduler) st.scheduler.replace(self, handle);
      else st.shards.replace(self, started.path(), handle);
    },
  };
}

} // namespace troupe
