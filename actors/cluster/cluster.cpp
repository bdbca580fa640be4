#include "actors/cluster/cluster.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

using cluster_pointer = cluster_actor::stateful_pointer<cluster_state>;

constexpr caf::timespan tick_interval = std::chrono::milliseconds(20);

int64_t now_ns(cluster_pointer self) { return self->clock().now().time_since_epoch().count(); }

v1::LayerRange layers_of(const cluster_config& config, const segment_place& place) {
  v1::LayerRange layers;
  layers.set_of_encoder(place.of_encoder);
  layers.set_first(place.layers.first);
  layers.set_count(place.layers.count);
  const auto& hashes = place.of_encoder ? config.encoder_layer_hashes : config.layer_hashes;
  for (uint32_t i = place.layers.first; i < place.layers.first + place.layers.count && i < hashes.size(); ++i) layers.add_hashes(hashes[i]);
  return layers;
}

void tell_stage(cluster_pointer self, const cluster_state::segment_key& key, cluster_state::stage& stage) {
  auto& st = self->state;
  v1::Placement news;
  auto& segment = *news.mutable_segment();
  segment.set_of_encoder(std::get<0>(key));
  segment.set_segment(std::get<1>(key));
  segment.set_replica(std::get<2>(key));
  caf::strong_actor_ptr handle;
  stage.placement = 0;
  const auto worker = st.workers.find(stage.place.worker);
  if (worker != st.workers.end() && worker->second.handle) {
    stage.placement = st.config.first_placement + st.placements_made++;
    stage.began = self->clock().now();
    handle = caf::actor_cast<caf::strong_actor_ptr>(worker->second.handle);
    *news.mutable_layers() = layers_of(st.config, stage.place);
    *news.mutable_model() = st.config.model;
    news.set_worker(stage.place.worker);
  }
  news.set_placement(stage.placement);
  self->send(stage.actor, std::move(news), handle);
}

/// Gives spares what they may have to compute, so that they need not load it then.
void preload(cluster_pointer self) {
  auto& st = self->state;
  for (const auto& name : st.policy.spares()) {
    auto& spare = st.workers.at(name);
    if (!spare.handle || std::exchange(spare.has_all, true)) continue;
    v1::PreloadLayers order;
    for (const auto& place : st.policy.segments()) *order.add_layers() = layers_of(st.config, place);
    *order.mutable_model() = st.config.model;
    self->send(spare.handle, std::move(order));
  }
}

/// Only what is due later needs the time: a stage that is to be told, and before the first cut the patience.
void keep_ticking(cluster_pointer self) {
  auto& st = self->state;
  const bool waits_for_workers = st.policy.segments().empty();
  const auto waits = [](const auto& one) { return one.second.placement == 0; };
  if (st.ticking || !(waits_for_workers || std::ranges::any_of(st.stages, waits))) return;
  st.ticking = true;
  self->delayed_send(self, tick_interval, v1::ClusterTick{});
}

/// Tells every stage whose place has changed, or whose placement has ended.
void decide(cluster_pointer self) {
  auto& st = self->state;
  const auto now = self->clock().now();
  for (const auto& place : st.policy.decide(now_ns(self)))
    for (auto& [key, stage] : st.stages) {
      if (std::get<0>(key) != place.of_encoder || std::get<1>(key) != place.index || !stage.actor) continue;
      const auto worker = st.workers.find(place.worker);
      const bool can_be_placed = worker != st.workers.end() && worker->second.handle;
      const bool is_other = stage.place != place;
      if (is_other) {
        stage.place = place;
        stage.ended = 0;
        stage.due = now;
      } else if (stage.placement != 0 || !can_be_placed || now < stage.due) continue;
      tell_stage(self, key, stage);
    }
  preload(self);
  keep_ticking(self);
}

void on_ready(cluster_pointer self, const v1::WorkerReady& news, const caf::strong_actor_ptr& handle) {
  auto& st = self->state;
  auto& worker = st.workers[news.worker()];
  worker.ready = news;
  const auto typed = caf::actor_cast<worker_actor>(handle);
  if (worker.handle == typed) return;
  // CAF tells nodes apart by addresses of network cards, the file system and process ids: on cloned machines all of them may be equal.
  for (const auto& [name, other] : st.workers)
    if (other.handle && name != news.worker() && other.ready.facts().incarnation() == news.facts().incarnation()) {
      worker.reason = "it cannot be told from worker " + name + ": it is the same process, or a clone with the same process id";
      return;
    }
  worker.handle = typed;
  worker.has_all = false;
  worker.reason.clear();
  self->monitor(typed);
  st.policy.worker_ready(news.worker(), news.facts().threads(), now_ns(self));
  write_log(st.config.log, log_level::info,
            "worker " + news.worker() + " is ready: " + std::to_string(news.facts().threads()) + " threads");
  decide(self);
}

void on_lost(cluster_pointer self, const std::string& name, const std::string& reason) {
  auto& st = self->state;
  auto& worker = st.workers[name];
  worker.reason = reason;
  if (!worker.handle) return;
  self->demonitor(worker.handle->address());
  worker.handle = nullptr;
  for (auto& [key, stage] : st.stages)
    if (stage.place.worker == name) stage.placement = 0;
  st.policy.worker_lost(name, now_ns(self));
  decide(self);
}

void on_find(cluster_pointer self, const v1::FindPlacement& question, const caf::strong_actor_ptr& asker) {
  auto& st = self->state;
  const auto& name = question.segment();
  const cluster_state::segment_key key{name.of_encoder(), name.segment(), name.replica()};
  auto& stage = st.stages[key];
  // A stage whose supervisor hangs may live on beside its successor. Ids grow: the later one is meant.
  if (stage.actor && asker && stage.actor->id() > asker->id()) return;
  if (stage.actor) self->demonitor(stage.actor->address());
  stage = {};
  stage.actor = caf::actor_cast<remote_layers_actor>(asker);
  self->monitor(stage.actor);
  decide(self);
}

void on_ended(cluster_pointer self, const v1::PlacementEnded& news) {
  auto& st = self->state;
  const auto& name = news.segment();
  const auto known = st.stages.find({name.of_encoder(), name.segment(), name.replica()});
  if (known == st.stages.end() || known->second.placement != news.placement()) return;
  auto& stage = known->second;
  stage.placement = 0;
  const auto& layers = stage.place.layers;
  write_log(st.config.log, log_level::warning,
            "layers " + std::to_string(layers.first) + " to " + std::to_string(layers.first + layers.count - 1) + " on worker " + stage.place.worker + " are placed anew: " + news.reason());
  if (self->clock().now() - stage.began > std::chrono::seconds(1)) stage.ended = 0;
  const auto wait = std::min(st.config.retry_first * (int64_t(1) << std::min(stage.ended++, 10u)), st.config.retry_max);
  stage.due = self->clock().now() + wait;
  keep_ticking(self);
}

v1::ClusterFacts facts(const cluster_state& st) {
  v1::ClusterFacts all;
  for (const auto& [name, known] : st.workers) {
    auto& one = *all.add_workers();
    one.set_name(name);
    const bool was_here = !known.ready.worker().empty();
    const bool is_drained = st.policy.is_drained(name);
    one.set_state(known.handle ? (is_drained ? "draining" : "ready") : was_here || !known.reason.empty() ? "lost" : "starting");
    if (!known.handle) one.set_reason(known.reason);
    *one.mutable_facts() = known.ready.facts();
    one.set_round_trip_ns(known.ready.round_trip_ns());
    one.set_times_lost(known.times_lost);
    for (const auto& place : st.policy.segments())
      if (place.worker == name) *one.add_layers() = layers_of({}, place);
    one.set_is_spare(std::ranges::count(st.policy.spares(), name) > 0);
  }
  return all;
}

} // namespace

cluster_actor::behavior_type cluster(cluster_pointer self, cluster_config config) {
  report_exceptions(self);
  auto& state = self->state;
  state.config = std::move(config);
  state.policy = placements(state.config.placing);
  for (const auto& name : state.config.workers) state.workers[name];
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& st = self->state;
    for (const auto& [name, worker] : st.workers)
      if (worker.handle && worker.handle->address() == down.source) return on_lost(self, name, "the connection is lost");
    std::erase_if(st.stages, [&](const auto& one) { return one.second.actor && one.second.actor->address() == down.source; });
  });
  return {
    [self](const v1::WorkerReady& news, const caf::strong_actor_ptr& handle) { on_ready(self, news, handle); },
    [self](const v1::WorkerLost& news) {
      ++self->state.workers[news.worker()].times_lost;
      on_lost(self, news.worker(), news.reason());
    },
    [self](const v1::FindPlacement& question, const caf::strong_actor_ptr& asker) { on_find(self, question, asker); },
    [self](const v1::PlacementEnded& news) { on_ended(self, news); },
    [self](const v1::DrainWorker& order) {
      self->state.policy.drain(order.worker(), !order.undo());
      decide(self);
    },
    [self](const v1::ClusterTick&) {
      self->state.ticking = false;
      decide(self);
    },
    [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); },
    [self](const v1::GetClusterFacts&) { return facts(self->state); },
  };
}

} // namespace troupe
