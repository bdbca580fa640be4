#pragma once
// The supervision tree of a placement: some layers of a model, in a worker.
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "model/parts.hpp"
#include <cstdint>
#include <memory>

namespace troupe {

struct placement_tree_config {
  std::shared_ptr<const model_parts> model; // With these layers.
  uint32_t replica = 0;
  bool of_encoder = false;
  range layers;
  uint64_t cache_positions_max = 0;
  bool verify_caches = false;
  uint64_t placement = 0;
  remote_layers_actor owner; // In the coordinator.
  child_hook hook = {}; // For all actors below the root.
  log_function log = {};
};

/// A root as spawn_root's (root.hpp), with the layers and their layer host, which tells the owner that they are placed.
root_actor spawn_placement_root(caf::actor_system& system, placement_tree_config config);

} // namespace troupe
