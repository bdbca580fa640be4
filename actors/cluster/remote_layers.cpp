#include "actors/cluster/remote_layers.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/directory.hpp"
#include "actors/supervision/failure.hpp"

#include <utility>

namespace troupe {
namespace {

using stage_pointer = remote_layers_actor::stateful_pointer<remote_layers_state>;

void ask_cluster(stage_pointer self) {
  auto& st = self->state;
  v1::FindPlacement question;
  *question.mutable_segment() = st.config.segment;
  self->send(st.cluster, std::move(question), caf::strong_actor_ptr(self->ctrl()));
}

/// What the host has will not come back.
void step_lost(stage_pointer self) {
  auto& st = self->state;
  const auto lost = std::exchange(st.under_way, step_id{});
  if (lost != step_id{}) st.scheduler.send(self, make_fault(lost, v1::FAULT_KIND_LOST, {st.config.path}));
}

void drop_placement(stage_pointer self) {
  auto& st = self->state;
  if (st.worker) self->demonitor(st.worker->address());
  if (st.host) self->demonitor(st.host->address());
  st.worker = nullptr;
  st.host = nullptr;
  st.placement.Clear();
  step_lost(self);
}

/// The placement is no use any more: tells the cluster, which will name another one.
void placement_ended(stage_pointer self, const std::string& reason) {
  auto& st = self->state;
  v1::PlacementEnded news;
  *news.mutable_segment() = st.config.segment;
  news.set_placement(st.placement.placement());
  news.set_reason(reason);
  drop_placement(self);
  if (st.cluster) self->send(st.cluster, std::move(news));
}

void on_placement(stage_pointer self, const v1::Placement& placement, const caf::strong_actor_ptr& worker) {
  auto& st = self->state;
  if (placement.placement() == st.placement.placement()) return; // It was said twice.
  drop_placement(self);
  if (placement.placement() == 0) return;
  st.placement = placement;
  st.worker = caf::actor_cast<worker_actor>(worker);
  self->monitor(st.worker);
  self->send(st.worker, placement, caf::strong_actor_ptr(self->ctrl()));
  v1::ClusterTick end;
  end.set_round(placement.placement());
  self->delayed_send(self, st.config.placing_max, std::move(end));
}

void give(stage_pointer self, caf::message states) {
  auto& st = self->state;
  st.under_way = id_of(states.get_as<v1::HiddenStates>(0).plan());
  pass_on(self, st.host, states);
}

void on_placed(stage_pointer self, const v1::LayersPlaced& placed, const caf::strong_actor_ptr& host) {
  auto& st = self->state;
  if (placed.placement() != st.placement.placement() || st.host) return;
  st.host = caf::actor_cast<layer_host_actor>(host);
  self->monitor(st.host);
  if (!st.held_back.empty()) give(self, std::exchange(st.held_back, caf::message{}));
}

void begin(stage_pointer self, v1::HiddenStates& states) {
  auto& st = self->state;
  if (st.host && states.layer() != st.placement.layers().first()) // The stage before it has been given other layers meanwhile.
    return st.scheduler.send(self, make_fault(id_of(states.plan()), v1::FAULT_KIND_LOST, {st.config.path}));
  auto message = caf::make_message(std::move(states));
  st.under_way = step_id{};
  st.held_back.reset();
  if (st.host) give(self, std::move(message));
  else st.held_back = std::move(message);
}

/// Of one of the layers. Where none has the step, it is on its way.
void on_progress(stage_pointer self, const v1::StepProgress& of_layer) {
  auto& st = self->state;
  if (!of_layer.holds_step() && ++st.layers_without_step < st.placement.layers().count()) return;
  auto progress = of_layer;
  progress.set_path(st.config.path);
  progress.set_holds_step(true);
  st.scheduler.send(self, std::move(progress));
}

void on_answer(stage_pointer self, v1::LayerAnswer& answer) {
  auto& st = self->state;
  if (answer.placement() != st.placement.placement()) return;
  const auto is_under_way = [&](step_id step) { return step == st.under_way; };
  switch (answer.what_case()) {
  case v1::LayerAnswer::kStates:
    if (!is_under_way(id_of(answer.states().plan()))) return;
    st.under_way = step_id{};
    answer.mutable_states()->mutable_times()->set_messages(answer.states().times().messages() + 2);
    return st.next.pass(self, std::move(*answer.mutable_states()), st.scheduler);
  case v1::LayerAnswer::kObserved:
    if (is_under_way(id_of(answer.observed().plan()))) st.scheduler.send(self, std::move(*answer.mutable_observed()));
    return;
  case v1::LayerAnswer::kFault:
    if (!is_under_way(id_of(answer.fault()))) return;
    st.under_way = step_id{};
    return st.scheduler.send(self, std::move(*answer.mutable_fault()));
  case v1::LayerAnswer::kProgress:
    if (is_under_way(id_of(answer.progress()))) on_progress(self, answer.progress());
    return;
  default: return;
  }
}

void on_report_progress(stage_pointer self, const v1::ReportProgress& query) {
  auto& st = self->state;
  const auto asked = id_of(query);
  const bool waits = !st.held_back.empty() && id_of(st.held_back.get_as<v1::HiddenStates>(0).plan()) == asked;
  if (!waits && st.under_way == asked && st.host) {
    st.layers_without_step = 0;
    return self->send(st.host, query); // The answer is what the layers say; if nobody there says anything, there is none.
  }
  auto progress = make_progress(query, st.config.path, waits);
  progress.set_is_starting(waits);
  if (const auto to = asker_of<v1::StepProgress>(self)) self->send(to, std::move(progress));
}

void on_down(stage_pointer self, const caf::down_msg& down) {
  const auto& st = self->state;
  const bool is_host = st.host && st.host->address() == down.source;
  const bool is_worker = st.worker && st.worker->address() == down.source;
  if (is_host || is_worker) placement_ended(self, (is_host ? "its layer host ended: " : "the worker ended: ") + reason_text(down.reason));
}

} // namespace

remote_layers_actor::behavior_type remote_layers(stage_pointer self, remote_layers_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.next = next_stage(state.config.next);
  self->set_down_handler([self](const caf::down_msg& down) { on_down(self, down); });
  subscribe(self, state.config.directory, {state.config.next, paths::scheduler, paths::cluster});
  return {
    [self](v1::HiddenStates& states) {
      if (self->state.gate.admit(id_of(states.plan()))) begin(self, states);
    },
    [self](const v1::ReportProgress& query) { on_report_progress(self, query); },
    [self](const v1::Placement& placement, const caf::strong_actor_ptr& worker) { on_placement(self, placement, worker); },
    [self](const v1::LayersPlaced& placed, const caf::strong_actor_ptr& host) { on_placed(self, placed, host); },
    [self](const v1::PlacementRefused& refusal) {
      if (refusal.placement() == self->state.placement.placement()) placement_ended(self, refusal.reason());
    },
    [self](v1::LayerAnswer& answer) { on_answer(self, answer); },
    [self](const v1::AbandonActor& order) {
      if (self->state.host) self->send(self->state.host, order);
    },
    [self](const v1::ClusterTick& end) {
      const auto& st = self->state;
      if (!st.host && end.round() == st.placement.placement()) placement_ended(self, "the worker has not placed the layers in time");
    },
    [self](const v1::ActorStarted& started, const caf::strong_actor_ptr& handle) {
      auto& st = self->state;
      if (started.path() == paths::scheduler) {
        st.scheduler.replace(self, handle);
        st.next.scheduler_is_known(self);
      } else if (started.path() == paths::cluster) {
        st.cluster = caf::actor_cast<cluster_actor>(handle);
        ask_cluster(self);
      } else if (!st.next.replace(self, started.path(), handle, st.scheduler)) {
        self->send(st.config.directory, started, handle); // Of an actor there.
      }
    },
  };
}

} // namespace troupe
