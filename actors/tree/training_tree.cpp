#include "actors/tree/training_tree.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/training/attention_head.hpp"
#include "actors/training/embedding.hpp"
#include "actors/training/layer.hpp"
#include "actors/training/output.hpp"
#include "actors/training/projection_shard.hpp"
#include "actors/tree/root.hpp"
#include "model/error.hpp"

#include <functional>
#include <utility>

namespace troupe {
namespace {

constexpr uint32_t replica_index = 0;
/// More than so many restarts in ten seconds: it is no fault that a restart can cure.
constexpr supervisor_policy training_group_policy{.strategy = restart_strategy::one_for_one, .restarts_max = 20};
constexpr supervisor_policy training_replica_policy{.strategy = restart_strategy::one_for_one, .restarts_max = 40};

/// A child that runs `behavior` with what make_config() gives: parts are large, so they are made when they are needed.
template <class Behavior, class MakeConfig>
child_spec training_child(const child_hook& hook, std::string path, Behavior behavior, MakeConfig make_config) {
  return hooked({std::move(path),
                 [=](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                   return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(behavior, make_config()));
                 }},
                hook);
}

std::vector<std::string> head_paths(const trainable_builder& model, uint32_t layer) {
  std::vector<std::string> all;
  for (uint32_t i = 0; i < model.spec().layers[layer].attention.kv_heads; ++i)
    all.push_back(paths::head(paths::layer(replica_index, layer), i));
  return all;
}

std::vector<std::string> shard_paths(const trainable_builder& model, const std::string& owner) {
  std::vector<std::string> all;
  for (uint32_t i = 0; i < model.shards(); ++i) all.push_back(paths::shard(owner, i));
  return all;
}

std::string stage_path(const trainable_builder& model, int layer) {
  if (layer < 0) return paths::embedding(replica_index);
  if (size_t(layer) == model.spec().layers.size()) return paths::output(replica_index);
  return paths::layer(replica_index, uint32_t(layer));
}

bool has_copied_norms(const trainable_builder& model, uint32_t layer) {
  return model.spec().layers[layer].attention.query_key_norm.has_value();
}

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Builds the child specs of one training run.
struct tree_builder {
  const training_tree_config& config;
  directory_actor directory;
  const std::shared_ptr<const trainable_builder>& model = config.model;

  owner_config owner(std::string path, std::vector<std::string> peers = {}) const {
    owner_config result;
    result.path = std::move(path);
    result.directory = directory;
    result.peers = std::move(peers);
    return result;
  }

  child_spec group(const std::string& path, std::vector<child_spec> children) const {
    return hooked(supervisor_child(paths::supervisor(path), training_group_policy, std::move(children), directory), config.hook);
  }

  child_spec embedding() const {
    const auto path = paths::embedding(replica_index);
    auto own = owner(path, {stage_path(*model, 0)});
    if (model->is_tied()) own.copies_from = shard_paths(*model, paths::output(replica_index));
    return training_child(config.hook, path, training_embedding, [own, model = model] {
      return training_embedding_config{model->embedding(), stage_path(*model, 0), own};
    });
  }

  child_spec head(uint32_t layer, uint32_t index) const {
    const auto layer_path = paths::layer(replica_index, layer), path = paths::head(layer_path, index);
    auto own = owner(path);
    own.holder_index = index;
    if (has_copied_norms(*model, layer)) own.copies_from = {layer_path};
    return training_child(config.hook, path, training_head, [own, layer, index, model = model] {
      return training_head_config{model->head(layer, index), own};
    });
  }

  child_spec layer_group(uint32_t index) const {
    const auto path = paths::layer(replica_index, index);
    std::vector<child_spec> children;
    for (uint32_t i = 0; i < model->spec().layers[index].attention.kv_heads; ++i) children.push_back(head(index, i));
    for (uint32_t i = 0; i < model->shards(); ++i) {
      auto own = owner(paths::shard(path, i));
      children.push_back(training_child(config.hook, own.path, training_shard, [own, index, i, model = model] {
        return training_shard_config{i, model->shard(index, i), own};
      }));
    }
    const auto heads = head_paths(*model, index), shards = shard_paths(*model, path);
    const auto next = stage_path(*model, int(index) + 1), previous = stage_path(*model, int(index) - 1);
    auto own = owner(path, joined({next, previous}, joined(heads, shards)));
    if (has_copied_norms(*model, index)) own.holders = heads;
    children.push_back(training_child(config.hook, path, training_layer, [=, model = model] {
      return training_layer_config{index,  model->spec().layers[index], model->spec().width, model->leaf_rows_min(),
                                   model->layer(index), heads, shards, next, previous, own};
    }));
    return group(path, std::move(children));
  }

  child_spec output_group() const {
    const auto path = paths::output(replica_index);
    std::vector<child_spec> children;
    for (uint32_t i = 0; i < model->shards(); ++i) {
      auto own = owner(paths::shard(path, i));
      own.owner_index = i;
      if (model->is_tied()) own.holders = {paths::embedding(replica_index)};
      children.push_back(training_child(config.hook, own.path, training_output_shard, [own, i, model = model] {
        return training_output_shard_config{i, model->output_shard(i), own};
      }));
    }
    const auto shards = shard_paths(*model, path);
    const auto previous = stage_path(*model, int(model->spec().layers.size()) - 1);
    const auto own = owner(path, joined({previous}, shards));
    children.push_back(training_child(config.hook, path, training_output, [=, model = model] {
      return training_output_config{model->output(), model->spec().width, model->leaf_rows_min(), shards, previous, own};
    }));
    return group(path, std::move(children));
  }

  child_spec replica() const {
    std::vector<child_spec> children{embedding()};
    for (uint32_t l = 0; l < model->spec().layers.size(); ++l) children.push_back(layer_group(l));
    children.push_back(output_group());
    const auto path = paths::supervisor(paths::replica(replica_index));
    return hooked(supervisor_child(path, training_replica_policy, std::move(children), directory), config.hook);
  }

  std::vector<child_spec> all() const {
    child_spec loads{.path = paths::loader,
                     .start =
                       [make_source = config.make_source](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                         return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(loader, make_source));
                       },
                     .answers_liveness_checks = true};
    auto training = config.trainer;
    uint64_t parameters = 0;
    for (const auto& one : model->tensors()) parameters += one.view->rows * one.view->columns;
    training.row_longest = caf::timespan(int64_t(parameters) * 30); // Six operations for each parameter, at 0.2 of them in a nanosecond.
    training.embedding = paths::embedding(replica_index);
    training.owners = owner_paths(*model);
    training.directory = directory;
    child_spec trains{.path = paths::trainer,
                      .start =
                        [training](caf::scheduled_actor* parent, const std::string&, const caf::message&) {
                          return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(trainer, training));
                        },
                      .answers_liveness_checks = true};
    return {hooked(std::move(loads), config.hook), hooked(std::move(trains), config.hook), replica()};
  }
};

} // namespace

void each_owner(const trainable_builder& model, const std::function<void(const std::string&, std::vector<parameter*>)>& use) {
  const auto with = [&](const std::string& path, auto part) { use(path, part.parameters()); };
  with(paths::embedding(replica_index), model.embedding());
  for (uint32_t l = 0; l < model.spec().layers.size(); ++l) {
    const auto path = paths::layer(replica_index, l);
    for (uint32_t i = 0; i < model.spec().layers[l].attention.kv_heads; ++i) with(paths::head(path, i), model.head(l, i));
    for (uint32_t i = 0; i < model.shards(); ++i) with(paths::shard(path, i), model.shard(l, i));
    with(path, model.layer(l));
  }
  const auto path = paths::output(replica_index);
  for (uint32_t i = 0; i < model.shards(); ++i) with(paths::shard(path, i), model.output_shard(i));
  with(path, model.output());
}

root_actor spawn_training_root(caf::actor_system& system, training_tree_config config) {
  auto hook = config.hook;
  return spawn_root(system, std::move(hook), [config = std::move(config)](const directory_actor& directory) {
    return tree_builder{config, directory}.all();
  });
}

std::vector<std::string> owner_paths(const trainable_builder& model) {
  std::vector<std::string> all{paths::embedding(replica_index)};
  for (uint32_t l = 0; l < model.spec().layers.size(); ++l) {
    const auto path = paths::layer(replica_index, l);
    all = joined(joined(std::move(all), head_paths(model, l)), shard_paths(model, path));
    all.push_back(path);
  }
  all = joined(std::move(all), shard_paths(model, paths::output(replica_index)));
  all.push_back(paths::output(replica_index));
  return all;
}

std::vector<std::string> actor_paths(const trainable_builder& model) {
  std::vector<std::string> all{paths::directory, paths::runtime, paths::loader, paths::trainer,
                               paths::supervisor(paths::replica(replica_index))};
  for (uint32_t l = 0; l < model.spec().layers.size(); ++l) all.push_back(paths::supervisor(paths::layer(replica_index, l)));
  all.push_back(paths::supervisor(paths::output(replica_index)));
  return joined(std::move(all), owner_paths(model));
}

} // namespace troupe
