#pragma once
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/step.hpp"
#include "actors/interfaces/supervision.hpp"
#include <caf/all.hpp>
#include <map>
#include <string>
#include <vector>

namespace troupe {

struct layer_host_config {
  uint64_t placement = 0;
  std::vector<std::string> layers; // Paths, in the order in which a step passes them; the first of these layers
  uint32_t first_layer = 0;        // has this index.
  std::vector<std::string> actors; // Paths of all that are below the same root as these layers, and these.
  remote_layers_actor owner;       // In the coordinator.
  directory_actor directory;       // Of the worker, below the placement's root.
};

/// A worker's end of a placement, which tells the coordinator that the layers are placed. For its layers it is the scheduler, and the
/// stage before and behind them: it gives them the steps that come from the coordinator, and sends there what they say. It tells the
/// coordinator of all actors of the placement, whenever one is replaced, so that they can be seen, killed and abandoned there as all
/// others.
///
/// Retry     as with the layers themselves: steps are numbered, what is old is dropped.
/// Restart   the coordinator notices its end and places the layers anew; until it does, its successor is no use to it.
struct layer_host_state {
  static inline const char* name = "layer_host";
  layer_host_config config;
  std::map<std::string, caf::strong_actor_ptr> layers; // That are known, by path.
  caf::message held_back; // A step for the first layer, while that is not known.
  step_id passed;         // The newest step that was given to the first layer,
  bool was_observed = false; // whose result has been seen once, which was to observe it.
};

layer_host_actor::behavior_type layer_host(layer_host_actor::stateful_pointer<layer_host_state> self, layer_host_config config);

} // namespace troupe
