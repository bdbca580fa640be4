#pragma once
// The supervision tree of a training run: the same roles at the same paths as when a model serves, with a trainer in place of the
// scheduler.
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/training/loader.hpp"
#include "actors/training/trainer.hpp"
#include "model/training/trainable_parts.hpp"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct training_tree_config {
  std::shared_ptr<const trainable_builder> model;
  trainer_config trainer; // embedding, owners and directory are filled in.
  batch_source_factory make_source;
  child_hook hook = {}; // For all actors below the root.
};

/// Starts all actors of a training run:
///
///   /                  rest_for_one
///   ├── /directory
///   └── /supervisor    one_for_one
///       ├── /loader
///       ├── /trainer
///       └── /replica/0/supervisor    the embedding, the layers with their heads and shards, the output with its shards
///
/// They do nothing until a client orders a step (actors/training/run_tracker.hpp).
root_actor spawn_training_root(caf::actor_system& system, training_tree_config config);

/// The paths of all owners of parameters, in a fixed order; and of all actors below the root.
std::vector<std::string> owner_paths(const trainable_builder& model);
std::vector<std::string> actor_paths(const trainable_builder& model);

/// Calls use(path, parameters) for every owner, in that order; the parameters are zeros, of this owner at a time, and go afterwards.
void each_owner(const trainable_builder& model, const std::function<void(const std::string&, std::vector<parameter*>)>& use);

} // namespace troupe
