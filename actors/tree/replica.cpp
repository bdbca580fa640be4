#include "actors/tree/replica.hpp"

#include "actors/cluster/remote_layers.hpp"
#include "actors/inference/attention_head.hpp"
#include "actors/inference/embedding.hpp"
#include "actors/inference/layer.hpp"
#include "actors/inference/output.hpp"
#include "actors/inference/projection_shard.hpp"
#include "actors/interfaces/paths.hpp"
#include "model/parts/weights.hpp"

#include <utility>
#include <variant>

namespace troupe {
namespace {

/// More than ten restarts in ten seconds: it is no fault that a restart can cure.
constexpr supervisor_policy stage_policy{.strategy = restart_strategy::one_for_one, .restarts_max = 10};
constexpr supervisor_policy replica_policy{.strategy = restart_strategy::one_for_one, .restarts_max = 20};

/// Called for a child's configuration before each start: gives the child weights that are intact. What was loaded again for that is
/// kept for later starts.
void prepare(attention_head_config& config) { config.part = with_intact_weights(config.part); }
void prepare(projection_shard_config& config) {
  std::visit([](auto& part) { part = with_intact_weights(part); }, config.part);
}
template <class Config> void prepare(Config&) {}

/// A child that runs `behavior` with `config`, both copied for every start.
template <class Behavior, class Config>
child_spec actor_child(const replica_config& of, std::string path, Behavior behavior, Config config) {
  return hooked({std::move(path),
                 [=](caf::scheduled_actor* parent, const std::string&, const caf::message&) mutable {
                   prepare(config);
                   return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(behavior, config));
                 }},
                of.hook);
}

/// A stage between an embedding and what follows the stack: a layer, or layers that are in a worker.
struct stage_place {
  bool of_encoder;
  uint32_t index; // Of the layer in its stack, or of the segment.
  bool is_remote = false;

  const stack_part& stack(const replica_config& config) const { return of_encoder ? *config.model->encoder : *config.model; }
  const layer_part& part(const replica_config& config) const { return *stack(config).layers[index]; }
  std::string path(const replica_config& config) const {
    if (is_remote) return paths::remote_layers(config.index, of_encoder, index);
    return of_encoder ? paths::encoder_layer(config.index, index) : paths::layer(config.index, index);
  }
};

/// Those of a stack, in the order in which a step passes them.
std::vector<stage_place> places_of(const replica_config& config, bool of_encoder) {
  std::vector<stage_place> places;
  const auto& stack = of_encoder ? *config.model->encoder : static_cast<const stack_part&>(*config.model);
  const bool is_remote = config.remote_segments > 0;
  for (uint32_t i = 0; i < (is_remote ? config.remote_segments : stack.layers.size()); ++i) places.push_back({of_encoder, i, is_remote});
  return places;
}

/// All of both stacks.
std::vector<stage_place> all_places(const replica_config& config) {
  std::vector<stage_place> places;
  if (config.model->encoder) places = places_of(config, true);
  const auto own = places_of(config, false);
  places.insert(places.end(), own.begin(), own.end());
  return places;
}

/// Where the stack's last stage leads.
std::string path_behind(const replica_config& config, bool of_encoder) {
  return of_encoder ? paths::embedding(config.index) : paths::output(config.index);
}

std::string next_path(const replica_config& config, stage_place place) {
  const auto places = places_of(config, place.of_encoder);
  return place.index + 1 < places.size() ? places[place.index + 1].path(config) : path_behind(config, place.of_encoder);
}

child_spec layer_group(const replica_config& config, stage_place place, const std::string& next, const directory_actor& directory) {
  const auto& part = place.part(config);
  const auto path = place.path(config);
  std::vector<child_spec> children;
  const auto add_head = [&](const std::string& head_path, std::shared_ptr<const attention_head_part> head, bool is_cross) {
    children.push_back(actor_child(config, head_path, attention_head,
                                   attention_head_config{std::move(head), place.index, place.of_encoder, is_cross,
                                                         config.cache_positions_max, config.verify_caches}));
  };
  for (uint32_t i = 0; i < part.heads.size(); ++i) add_head(paths::head(path, i), part.heads[i], false);
  for (uint32_t i = 0; i < part.cross_heads.size(); ++i) add_head(paths::cross_head(path, i), part.cross_heads[i], true);
  for (uint32_t i = 0; i < part.shards.size(); ++i)
    children.push_back(
      actor_child(config, paths::shard(path, i), projection_shard, projection_shard_config{i, part.shards[i]}));
  children.push_back(
    actor_child(config, path, layer, layer_config{path, place.index, config.model, place.of_encoder, next, directory}));
  return hooked(supervisor_child(paths::supervisor(path), stage_policy, std::move(children), directory), config.hook);
}

/// Layers in a worker.
child_spec remote_child(const replica_config& config, stage_place place, const directory_actor& directory) {
  v1::SegmentName segment;
  segment.set_replica(config.index);
  segment.set_of_encoder(place.of_encoder);
  segment.set_segment(place.index);
  const auto path = place.path(config);
  return actor_child(config, path, remote_layers,
                     remote_layers_config{path, std::move(segment), next_path(config, place), directory});
}

child_spec output_group(const replica_config& config, const directory_actor& directory) {
  const auto& shards = config.model->output.shards;
  const auto path = paths::output(config.index);
  std::vector<child_spec> children;
  for (uint32_t i = 0; i < shards.size(); ++i)
    children.push_back(actor_child(config, paths::shard(path, i), projection_shard, projection_shard_config{i, shards[i]}));
  children.push_back(actor_child(config, path, output, output_config{path, config.model, directory}));
  return hooked(supervisor_child(paths::supervisor(path), stage_policy, std::move(children), directory), config.hook);
}

} // namespace

child_spec replica_child(const replica_config& config, const directory_actor& directory) {
  std::vector<child_spec> children;
  const auto add_embedding = [&](const std::string& path, bool of_encoder) {
    const auto next = places_of(config, of_encoder).front().path(config);
    children.push_back(actor_child(config, path, embedding, embedding_config{path, config.model, of_encoder, next, directory}));
  };
  if (config.model->encoder) add_embedding(paths::encoder_embedding(config.index), true);
  add_embedding(paths::embedding(config.index), false);
  for (const auto& place : all_places(config))
    children.push_back(place.is_remote ? remote_child(config, place, directory)
                                       : layer_group(config, place, next_path(config, place), directory));
  children.push_back(output_group(config, directory));
  const auto own_path = paths::supervisor(paths::replica(config.index));
  return hooked(supervisor_child(own_path, replica_policy, std::move(children), directory), config.hook);
}

std::vector<std::string> stage_paths(const replica_config& config) {
  std::vector<std::string> stages;
  if (config.model->encoder) stages.push_back(paths::encoder_embedding(config.index));
  bool is_in_encoder = config.model->encoder.has_value();
  if (!is_in_encoder) stages.push_back(paths::embedding(config.index));
  for (const auto& place : all_places(config)) {
    if (std::exchange(is_in_encoder, place.of_encoder) != place.of_encoder) stages.push_back(paths::embedding(config.index));
    stages.push_back(place.path(config));
  }
  stages.push_back(paths::output(config.index));
  return stages;
}

std::vector<std::string> entry_paths(const replica_config& config) {
  std::vector<std::string> entries{paths::embedding(config.index)};
  if (config.model->encoder) entries.push_back(paths::encoder_embedding(config.index));
  return entries;
}

std::vector<std::string> weight_owner_paths(const replica_config& config) {
  std::vector<std::string> owners;
  const auto add_shards = [&](const std::string& path, size_t count) {
    for (uint32_t i = 0; i < count; ++i) owners.push_back(paths::shard(path, i));
  };
  for (const auto& place : all_places(config)) {
    if (place.is_remote) continue;
    const auto& part = place.part(config);
    const auto path = place.path(config);
    for (uint32_t i = 0; i < part.heads.size(); ++i) owners.push_back(paths::head(path, i));
    for (uint32_t i = 0; i < part.cross_heads.size(); ++i) owners.push_back(paths::cross_head(path, i));
    add_shards(path, part.shards.size());
  }
  add_shards(paths::output(config.index), config.model->output.shards.size());
  return owners;
}

child_spec layer_child(const replica_config& config, bool of_encoder, uint32_t index, const std::string& next,
                       const directory_actor& directory) {
  return layer_group(config, {of_encoder, index}, next, directory);
}

std::vector<std::string> layer_actor_paths(const replica_config& config, bool of_encoder, uint32_t index) {
  const stage_place place{of_encoder, index};
  const auto& part = place.part(config);
  const auto path = place.path(config);
  std::vector<std::string> all{path, paths::supervisor(path)};
  for (uint32_t i = 0; i < part.heads.size(); ++i) all.push_back(paths::head(path, i));
  for (uint32_t i = 0; i < part.cross_heads.size(); ++i) all.push_back(paths::cross_head(path, i));
  for (uint32_t i = 0; i < part.shards.size(); ++i) all.push_back(paths::shard(path, i));
  return all;
}

size_t actor_count(const model_parts& model, uint32_t replicas) {
  size_t count = 1 + 1; // Its supervisor and its embedding.
  for (const auto* stack : {static_cast<const stack_part*>(&model), model.encoder ? &*model.encoder : nullptr})
    if (stack != nullptr)
      for (const auto& layer : stack->layers)
        if (layer != nullptr) count += 2 + layer->heads.size() + layer->cross_heads.size() + layer->shards.size();
  count += model.encoder ? 1 : 0; // Its embedding.
  count += 2 + model.output.shards.size();
  return 3 + replicas * count; // /supervisor, scheduler, sequences.
}

} // namespace troupe
