#include "actors/cluster/layer_host.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"

#include <utility>

namespace troupe {
namespace {

using host_pointer = layer_host_actor::stateful_pointer<layer_host_state>;

template <class Fill> void answer(host_pointer self, Fill fill) {
  v1::LayerAnswer message;
  message.set_placement(self->state.config.placement);
  fill(message);
  self->send(self->state.config.owner, std::move(message));
}

void report_lost(host_pointer self, const std::string& path) {
  answer(self, [&](v1::LayerAnswer& m) { *m.mutable_fault() = make_fault(self->state.passed, v1::FAULT_KIND_LOST, {path}); });
}

void begin(host_pointer self, v1::HiddenStates& states) {
  auto& st = self->state;
  st.passed = id_of(states.plan());
  st.was_observed = false;
  auto message = caf::make_message(std::move(states));
  const auto first = st.layers.find(st.config.layers.front());
  if (first != st.layers.end()) pass_on(self, caf::actor_cast<stage_actor>(first->second), message);
  else st.held_back = std::move(message);
}

/// From one of the layers. The last one sends its states twice where they are to be observed, to the scheduler and to the next
/// stage, which are both here. The coordinator's end shows them to the scheduler itself, so the first of the two is dropped.
void on_states_of_layer(host_pointer self, v1::HiddenStates& states) {
  auto& st = self->state;
  if (id_of(states.plan()) != st.passed) return;
  const bool is_result = states.layer() == st.config.first_layer + st.config.layers.size();
  if (is_result && states.plan().observe_hidden_states() && !std::exchange(st.was_observed, true)) return;
  answer(self, [&](v1::LayerAnswer& m) { (is_result ? m.mutable_states() : m.mutable_observed())->Swap(&states); });
}

void on_actor_started(host_pointer self, const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
  auto& st = self->state;
  self->send(st.config.owner, started, handle);
  const bool is_first = started.path() == st.config.layers.front();
  for (const auto& path : st.config.layers)
    if (path == started.path()) st.layers[path] = handle;
  if (!is_first) return;
  if (!st.held_back.empty()) {
    pass_on(self, caf::actor_cast<stage_actor>(handle), st.held_back);
    st.held_back.reset();
  } else if (st.passed != step_id{}) {
    report_lost(self, started.path()); // It may have been lost with the former one; nobody else can know.
  }
}

} // namespace

layer_host_actor::behavior_type layer_host(host_pointer self, layer_host_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  subscribe(self, state.config.directory, state.config.actors);
  v1::LayersPlaced placed;
  placed.set_placement(state.config.placement);
  self->send(state.config.owner, std::move(placed), caf::strong_actor_ptr(self->ctrl()));
  return {
    [self](v1::HiddenStates& states) {
      if (states.layer() == self->state.config.first_layer) begin(self, states);
      else on_states_of_layer(self, states);
    },
    [self](const v1::ReportProgress& query) {
      for (const auto& [path, handle] : self->state.layers) self->send(caf::actor_cast<stage_actor>(handle), query);
    },
    [self](v1::StepFault& fault) {
      // The sender is known here only.
      if (fault.actor_id() == 0 && self->current_sender()) fault.set_actor_id(self->current_sender()->id());
      answer(self, [&](v1::LayerAnswer& m) { m.mutable_fault()->Swap(&fault); });
    },
    [self](const v1::StepProgress& progress) {
      answer(self, [&](v1::LayerAnswer& m) { *m.mutable_progress() = progress; });
    },
    [self](const v1::AbandonActor& order) { self->send(self->state.config.directory, order); },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) { on_actor_started(self, started, handle); },
  };
}

} // namespace troupe
