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

#include <algorithm>
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

std::string path_of(layer_id layer) {
  return layer.of_encoder ? paths::encoder_layer(replica_index, layer.index) : paths::layer(replica_index, layer.index);
}

const layer_spec& spec_of(const trainable_builder& model, layer_id layer) { return model.stack(layer.of_encoder).layers[layer.index]; }

uint32_t cross_heads(const trainable_builder& model, layer_id layer) {
  const auto& cross = spec_of(model, layer).cross_attention;
  return cross ? cross->kv_heads : 0;
}

std::vector<std::string> head_paths(const trainable_builder& model, layer_id layer) {
  std::vector<std::string> all;
  for (uint32_t i = 0; i < spec_of(model, layer).attention.kv_heads; ++i) all.push_back(paths::head(path_of(layer), i));
  return all;
}

std::vector<std::string> cross_head_paths(const trainable_builder& model, layer_id layer) {
  std::vector<std::string> all;
  for (uint32_t i = 0; i < cross_heads(model, layer); ++i) all.push_back(paths::cross_head(path_of(layer), i));
  return all;
}

std::vector<std::string> shard_paths(const trainable_builder& model, const std::string& owner) {
  std::vector<std::string> all;
  for (uint32_t i = 0; i < model.shards(); ++i) all.push_back(paths::shard(owner, i));
  return all;
}

uint32_t layer_count(const trainable_builder& model, bool of_encoder) { return uint32_t(model.stack(of_encoder).layers.size()); }

bool has_encoder(const trainable_builder& model) { return model.spec().encoder.has_value(); }

std::string embedding_path(bool of_encoder) {
  return of_encoder ? paths::encoder_embedding(replica_index) : paths::embedding(replica_index);
}

/// Before layer 0 there is the stack's embedding; after the encoder's last layer the decoder's, after the decoder's the output.
std::string stage_path(const trainable_builder& model, bool of_encoder, int layer) {
  if (layer < 0) return embedding_path(of_encoder);
  if (uint32_t(layer) < layer_count(model, of_encoder)) return path_of({uint32_t(layer), of_encoder});
  return of_encoder ? embedding_path(false) : paths::output(replica_index);
}

/// The number of a stack's layer 0 in the whole model.
uint32_t first_layer(const trainable_builder& model, bool of_encoder) {
  return of_encoder || !has_encoder(model) ? 0 : layer_count(model, true);
}

/// All layers, in the order in which a micro-batch passes them.
std::vector<layer_id> all_layers(const trainable_builder& model) {
  std::vector<layer_id> all;
  for (const bool of_encoder : {true, false}) {
    if (of_encoder && !has_encoder(model)) continue;
    for (uint32_t l = 0; l < layer_count(model, of_encoder); ++l) all.emplace_back(l, of_encoder);
  }
  return all;
}

/// Of the embeddings that have copies of the token embedding.
std::vector<std::string> holders_of_table(const trainable_builder& model) {
  std::vector<std::string> holders;
  if (model.is_tied()) holders.push_back(embedding_path(false));
  if (model.shares_embedding()) holders.push_back(embedding_path(true));
  return holders;
}

bool has_copied_norms(const trainable_builder& model, layer_id layer) {
  return spec_of(model, layer).attention.query_key_norm.has_value();
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

  child_spec embedding(bool of_encoder) const {
    const auto path = embedding_path(of_encoder), next = stage_path(*model, of_encoder, 0);
    const bool is_behind_encoder = !of_encoder && has_encoder(*model);
    const auto previous = is_behind_encoder ? stage_path(*model, true, int(layer_count(*model, true)) - 1) : "";
    auto own = owner(path, {next});
    if (is_behind_encoder) own.peers.push_back(previous);
    const auto holders = holders_of_table(*model);
    const auto as_holder = std::ranges::find(holders, path);
    if (as_holder != holders.end()) {
      own.holder_index = uint32_t(as_holder - holders.begin());
      own.copies_from = model->is_tied() ? shard_paths(*model, paths::output(replica_index)) : std::vector{embedding_path(false)};
    } else if (!of_encoder) {
      own.holders = holders;
    }
    return training_child(config.hook, path, training_embedding, [=, model = model] {
      return training_embedding_config{model->embedding(of_encoder), of_encoder, first_layer(*model, of_encoder), next, previous, own};
    });
  }

  child_spec head(layer_id layer, uint32_t index) const {
    const auto layer_path = path_of(layer), path = paths::head(layer_path, index);
    auto own = owner(path);
    own.holder_index = index;
    if (has_copied_norms(*model, layer)) own.copies_from = {layer_path};
    return training_child(config.hook, path, training_head, [own, layer, index, model = model] {
      return training_head_config{model->head(layer, index), layer.of_encoder, own};
    });
  }

  child_spec cross_head(layer_id layer, uint32_t index) const {
    const auto path = paths::cross_head(path_of(layer), index);
    return training_child(config.hook, path, training_head, [own = owner(path), layer, index, model = model] {
      return training_head_config{model->cross_head(layer.index, index), false, own};
    });
  }

  child_spec layer_group(layer_id layer) const {
    const auto path = path_of(layer);
    std::vector<child_spec> children;
    for (uint32_t i = 0; i < spec_of(*model, layer).attention.kv_heads; ++i) children.push_back(head(layer, i));
    for (uint32_t i = 0; i < cross_heads(*model, layer); ++i) children.push_back(cross_head(layer, i));
    for (uint32_t i = 0; i < model->shards(); ++i) {
      auto own = owner(paths::shard(path, i));
      children.push_back(training_child(config.hook, own.path, training_shard, [own, layer, i, model = model] {
        return training_shard_config{i, model->shard(layer, i), own};
      }));
    }
    const auto heads = head_paths(*model, layer), cross = cross_head_paths(*model, layer), shards = shard_paths(*model, path);
    const auto next = stage_path(*model, layer.of_encoder, int(layer.index) + 1);
    const auto previous = stage_path(*model, layer.of_encoder, int(layer.index) - 1);
    auto own = owner(path, joined({next, previous}, joined(joined(heads, cross), shards)));
    if (has_copied_norms(*model, layer)) own.holders = heads;
    children.push_back(training_child(config.hook, path, training_layer, [=, model = model] {
      training_layer_config one;
      one.index = layer.index;
      one.of_encoder = layer.of_encoder;
      one.number = first_layer(*model, layer.of_encoder) + layer.index;
      one.spec = spec_of(*model, layer);
      one.width = model->spec().width;
      one.leaf_rows_min = model->leaf_rows_min();
      one.part = model->layer(layer);
      one.heads = heads;
      one.cross_heads = cross;
      one.shards = shards;
      one.next = next;
      one.previous = previous;
      one.owner = own;
      return one;
    }));
    return group(path, std::move(children));
  }

  child_spec output_group() const {
    const auto path = paths::output(replica_index);
    std::vector<child_spec> children;
    for (uint32_t i = 0; i < model->shards(); ++i) {
      auto own = owner(paths::shard(path, i));
      own.owner_index = i;
      if (model->is_tied()) own.holders = holders_of_table(*model);
      children.push_back(training_child(config.hook, own.path, training_output_shard, [own, i, model = model] {
        return training_output_shard_config{i, model->output_shard(i), own};
      }));
    }
    const auto shards = shard_paths(*model, path);
    const auto previous = stage_path(*model, false, int(layer_count(*model, false)) - 1);
    const auto own = owner(path, joined({previous}, shards));
    children.push_back(training_child(config.hook, path, training_output, [=, model = model] {
      return training_output_config{model->output(), model->spec().width, model->leaf_rows_min(), shards, previous, own};
    }));
    return group(path, std::move(children));
  }

  child_spec replica() const {
    std::vector<child_spec> children;
    if (has_encoder(*model)) children.push_back(embedding(true));
    children.push_back(embedding(false));
    for (const layer_id layer : all_layers(*model)) children.push_back(layer_group(layer));
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
    training.embedding = embedding_path(has_encoder(*model));
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
  if (has_encoder(model)) with(embedding_path(true), model.embedding(true));
  with(embedding_path(false), model.embedding(false));
  for (const layer_id layer : all_layers(model)) {
    const auto path = path_of(layer);
    for (uint32_t i = 0; i < spec_of(model, layer).attention.kv_heads; ++i) with(paths::head(path, i), model.head(layer, i));
    for (uint32_t i = 0; i < cross_heads(model, layer); ++i) with(paths::cross_head(path, i), model.cross_head(layer.index, i));
    for (uint32_t i = 0; i < model.shards(); ++i) with(paths::shard(path, i), model.shard(layer, i));
    with(path, model.layer(layer));
  }
  const auto path = paths::output(replica_index);
  for (uint32_t i = 0; i < model.shards(); ++i) with(paths::shard(path, i), model.output_shard(i));
  with(path, model.output());
}

root_actor spawn_training_root(caf::actor_system& system, training_tree_config config) {
  auto hook = config.hook;
  return spawn_root(system, std::move(hook), [config = std::move(config)](const directory_actor& directory, const child_hook& of_all) {
    auto hooked_config = config;
    hooked_config.hook = of_all;
    return tree_builder{hooked_config, directory}.all();
  });
}

std::vector<std::string> owner_paths(const trainable_builder& model) {
  std::vector<std::string> all;
  if (has_encoder(model)) all.push_back(embedding_path(true));
  all.push_back(embedding_path(false));
  for (const layer_id layer : all_layers(model)) {
    const auto path = path_of(layer);
    all = joined(joined(std::move(all), head_paths(model, layer)), joined(cross_head_paths(model, layer), shard_paths(model, path)));
    all.push_back(path);
  }
  all = joined(std::move(all), shard_paths(model, paths::output(replica_index)));
  all.push_back(paths::output(replica_index));
  return all;
}

std::vector<std::string> actor_paths(const trainable_builder& model) {
  std::vector<std::string> all{paths::directory, paths::runtime, paths::loader, paths::trainer,
                               paths::supervisor(paths::replica(replica_index))};
  for (const layer_id layer : all_layers(model)) all.push_back(paths::supervisor(path_of(layer)));
  all.push_back(paths::supervisor(paths::output(replica_index)));
  return joined(std::move(all), owner_paths(model));
}

} // namespace troupe
