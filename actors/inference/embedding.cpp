#include "actors/inference/embedding.hpp"

#include "actors/inference/thread_scratch.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <new>
#include <span>
#include <vector>

namespace troupe {
namespace {

using embedding_pointer = embedding_actor::stateful_pointer<embedding_state>;
using id_field = google::protobuf::RepeatedField<uint32_t>;

std::span<const uint32_t> all_of(const id_field& field) { return {field.data(), size_t(field.size())}; }

/// The positions of the step's rows in their sequences; of its source rows in their sources.
std::vector<uint32_t> positions_of(const v1::StepPlan& plan, bool of_sources) {
  std::vector<uint32_t> positions;
  const auto& rows = of_sources ? plan.source_rows() : plan.rows();
  for (int i = 0; i < rows.size(); ++i)
    for (uint32_t r = 0; r < rows[i]; ++r) positions.push_back((of_sources ? 0 : plan.positions(i)) + r);
  return positions;
}

v1::HiddenStates make_states(const embedding_state& st, const v1::StepPlan& plan, const id_field& tokens, const id_field& segments,
                             const float_field& features) {
  const uint32_t all_rows = checked_rows(plan), all_source_rows = source_rows(plan);
  const uint32_t rows = st.config.of_encoder ? all_source_rows : all_rows;
  TROUPE_ASSERT(uint32_t(tokens.size()) == rows);
  v1::HiddenStates states;
  *states.mutable_plan() = plan;
  states.set_of_encoder(st.config.of_encoder);
  states.set_width(st.config.model->spec.width);
  allocate(*states.mutable_values(), uint64_t(rows) * states.width());
  st.stack().embedding.forward(all_of(tokens), positions_of(plan, st.config.of_encoder), all_of(segments),
                               rows_of(*states.mutable_values(), rows, states.width()), scratch_of_this_thread(),
                               {features.data(), size_t(features.size())});
  return states;
}

void pass(embedding_pointer self, v1::HiddenStates states) {
  auto& st = self->state;
  const auto& plan = states.plan();
  auto suspects = st.config.of_encoder ? non_finite_sources(plan, states.values(), states.width())
                                       : non_finite_sequences(plan, states.values(), states.width());
  if (suspects.empty()) suspects = non_finite_sources(plan, states.source_values(), states.width());
  if (suspects.empty()) st.next.pass(self, std::move(states), st.scheduler);
  else st.scheduler.send(self, make_non_finite_fault(plan, {st.config.path}, suspects));
}

/// Does what is to be done for a step, and passes it on; when there is no memory for it, gives the step up.
template <class Message, class Work> void on_step(embedding_pointer self, Message& message, Work work) {
  auto& st = self->state;
  const step_id id = id_of(message.plan());
  if (!st.gate.admit(id)) return;
  try {
    pass(self, work());
  } catch (const std::bad_alloc&) {
    st.scheduler.send(self, make_fault(id, v1::FAULT_KIND_OUT_OF_MEMORY, {st.config.path}));
  }
}

} // namespace

v1::HiddenStates embedding_state::begin(const v1::ForwardStep& step) {
  const stopwatch watch;
  TROUPE_ASSERT(config.of_encoder == (step.plan().source_rows_size() > 0));
  auto states = make_states(*this, step.plan(), config.of_encoder ? step.source_tokens() : step.tokens(), step.segments(), step.features());
  if (config.of_encoder) *states.mutable_tokens() = step.tokens();
  states.mutable_times()->set_compute_ns(watch.elapsed_ns());
  states.mutable_times()->set_messages(2); // ForwardStep and HiddenStates.
  return states;
}

v1::HiddenStates embedding_state::go_on(v1::HiddenStates& encoded) {
  const stopwatch watch;
  const auto& model = *config.model;
  TROUPE_ASSERT(model.encoder.has_value() && encoded.of_encoder() && encoded.layer() == model.encoder->layers.size());
  TROUPE_ASSERT(encoded.width() == model.spec.width);
  const uint32_t rows = source_rows(encoded.plan());
  TROUPE_ASSERT(uint64_t(encoded.values_size()) == uint64_t(rows) * encoded.width());
  auto states = make_states(*this, encoded.plan(), encoded.tokens(), {}, {});
  const auto source = rows_of(*encoded.mutable_values(), rows, encoded.width());
  if (model.encoder_norm) model.encoder_norm->apply(source, source);
  states.mutable_source_values()->Swap(encoded.mutable_values());
  *states.mutable_times() = encoded.times();
  states.mutable_times()->set_compute_ns(states.times().compute_ns() + watch.elapsed_ns());
  states.mutable_times()->set_messages(states.times().messages() + 1);
  return states;
}

embedding_actor::behavior_type embedding(embedding_pointer self, embedding_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.next = next_stage(state.config.next);
  subscribe(self, state.config.directory, {state.config.next, paths::scheduler});
  return {
    // By reference, not const: see the layer.
    [self](v1::HiddenStates& encoded) { on_step(self, encoded, [&] { return self->state.go_on(encoded); }); },
    [self](const v1::ReportProgress& query) {
      if (const auto to = asker_of<v1::StepProgress>(self))
        self->send(to, make_progress(query, self->state.config.path, false));
    },
    [self](const v1::ForwardStep& step) { on_step(self, step, [&] { return self->state.begin(step); }); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      if (started.path() == paths::scheduler) {
        st.scheduler.replace(self, handle);
        st.next.scheduler_is_known(self);
      } else st.next.replace(self, started.path(), handle, st.scheduler);
    },
  };
}

} // namespace troupe
