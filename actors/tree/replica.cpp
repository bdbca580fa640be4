#include "actors/tree/replica.hpp"

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

std::string path_after(const replica_config& config, uint32_t layer_index) {
  return layer_index + 1 < config.model->layers.size() ? paths::layer(config.index, layer_index + 1)
                                                       : paths::output(config.index);
}

child_spec layer_group(const replica_config& config, uint32_t index, const directory_actor& directory) {
  const auto& part = *config.model->layers[index];
  const auto path = paths::layer(config.index, index);
  std::vector<child_spec> children;
  for (uint32_t i = 0; i < part.heads.size(); ++i)
    children.push_back(actor_child(config, paths::head(path, i), attention_head,
                                   attention_head_config{part.heads[i], index, config.cache_positions_max,
                                                         config.verify_caches}));
  for (uint32_t i = 0; i < part.shards.size(); ++i)
    children.push_back(
      actor_child(config, paths::shard(path, i), projection_shard, projection_shard_config{i, part.shards[i]}));
  children.push_back(
    actor_child(config, path, layer, layer_config{path, index, config.model, path_after(config, index), directory}));
  return hooked(supervisor_child(paths::supervisor(path), stage_policy, std::move(children), directory), config.hook);
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
  const auto path = paths::embedding(config.index);
  std::vector<child_spec> children;
  children.push_back(
    actor_child(config, path, embedding, embedding_config{path, config.model, paths::layer(config.index, 0), directory}));
  for (uint32_t i = 0; i < config.model->layers.size(); ++i) children.push_back(layer_group(config, i, directory));
  children.push_back(output_group(config, directory));
  const auto own_path = paths::supervisor(paths::replica(config.index));
  return hooked(supervisor_child(own_path, replica_policy, std::move(children), directory), config.hook);
}

std::vector<std::string> stage_paths(const replica_config& config) {
  std::vector<std::string> stages{paths::embedding(config.index)};
  for (uint32_t i = 0; i < config.model->layers.size(); ++i) stages.push_back(paths::layer(config.index, i));
  stages.push_back(paths::output(config.index));
  return stages;
}

std::vector<std::string> weight_owner_paths(const replica_config& config) {
  std::vector<std::string> owners;
  const auto add_shards = [&](const std::string& path, size_t count) {
    for (uint32_t i = 0; i < count; ++i) owners.push_back(paths::shard(path, i));
  };
  for (uint32_t l = 0; l < config.model->layers.size(); ++l) {
    const auto path = paths::layer(config.index, l);
    for (uint32_t i = 0; i < config.model->layers[l]->heads.size(); ++i) owners.push_back(paths::head(path, i));
    add_shards(path, config.model->layers[l]->shards.size());
  }
  add_shards(paths::output(config.index), config.model->output.shards.size());
  return owners;
}

size_t actor_count(const model_parts& model) {
  size_t count = 3 + 1 + 1; // /supervisor, scheduler, sequences; the replica's supervisor and its embedding.
  for (const auto& layer : model.layers) count += 2 + layer->heads.size() + layer->shards.size();
  return count + 2 + model.output.shards.size();
}

} // namespace troupe
