#include "actors/inference/embedding.hpp"

#include "actors/inference/thread_scratch.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <new>
#include <vector>

namespace troupe {

v1::HiddenStates embedding_state::embed(const v1::ForwardStep& step) {
  const stopwatch watch;
  const auto& plan = step.plan();
  const uint32_t rows = checked_rows(plan);
  TROUPE_ASSERT(uint32_t(step.tokens_size()) == rows);
  std::vector<uint32_t> positions;
  positions.reserve(rows);
  for (int i = 0; i < plan.sequence_ids_size(); ++i)
    for (uint32_t r = 0; r < plan.rows(i); ++r) positions.push_back(plan.positions(i) + r);

  v1::HiddenStates states;
  *states.mutable_plan() = plan;
  states.set_layer(0);
  states.set_width(config.model->spec.width);
  allocate(*states.mutable_values(), uint64_t(rows) * states.width());
  config.model->embedding.forward({step.tokens().data(), rows}, positions, {},
                                  rows_of(*states.mutable_values(), rows, states.width()), scratch_of_this_thread());
  states.mutable_times()->set_compute_ns(watch.elapsed_ns());
  states.mutable_times()->set_messages(2); // ForwardStep and HiddenStates.
  return states;
}

embedding_actor::behavior_type embedding(embedding_actor::stateful_pointer<embedding_state> self,
                                         embedding_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.next = next_stage(state.config.next);
  subscribe(self, state.config.directory, {state.config.next, paths::scheduler});
  return {
    [self](const v1::ForwardStep& step) {
      auto& st = self->state;
      if (!st.gate.admit(id_of(step.plan()))) return;
      try {
        auto states = st.embed(step);
        const auto suspects = non_finite_sequences(states.plan(), states.values(), states.width());
        if (suspects.empty()) st.next.pass(self, std::move(states), st.scheduler);
        else st.scheduler.send(self, make_non_finite_fault(states.plan(), {st.config.path}, suspects));
      } catch (const std::bad_alloc&) {
        st.scheduler.send(self, make_fault(id_of(step.plan()), v1::FAULT_KIND_OUT_OF_MEMORY, {st.config.path}));
      }
    },
    [self](const v1::ReportProgress& query) {
      if (const auto to = asker_of<v1::StepProgress>(self))
        self->send(to, make_progress(query, self->state.config.path, false));
    },
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
