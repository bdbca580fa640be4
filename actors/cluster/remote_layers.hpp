#pragma once
#include "actors/inference/stage.hpp"
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/step.hpp"
#include "actors/interfaces/supervision.hpp"
#include <caf/all.hpp>
#include <string>

namespace troupe {

struct remote_layers_config {
  std::string path;
  v1::SegmentName segment;
  std::string next;            // Path of the next stage.
  directory_actor directory;
  caf::timespan placing_max = std::chrono::minutes(2); // A worker that has not placed the layers by then is asked no more.
};

/// A stage whose layers are in a worker: the coordinator's end of a placement (messages/troupe/v1/cluster.proto). To the stages before and
/// behind it, and to the scheduler, it is like a layer. It asks the cluster who computes its layers, has that worker place them, gives it
/// one step at a time, and passes on what comes back. What is on its way to a worker is bounded by that: one step.
///
/// The actors of the placement are listed in the directory, with this one as their supervisor: orders to abandon one go there.
///
/// A placement is over as soon as the connection, the worker or the layer host ends, and when the cluster names another one. The step
/// that was under way is reported LOST; the next one waits here until the layers are placed again. Until then progress reports say that
/// the actors are still being started, so that no step counts as late.
///
/// Retry     one step at a time; a newer one replaces it. Answers of another placement or step are dropped.
/// Restart   begins with a new placement. The step before is lost, as with any stage.
struct remote_layers_state {
  static inline const char* name = "remote_layers";

  remote_layers_config config;
  next_stage next{""};
  scheduler_link scheduler;
  step_gate gate;
  cluster_actor cluster;       // Null until the directory has named it.
  v1::Placement placement;     // The present one; its number is 0: none.
  worker_actor worker;         // Of the placement.
  layer_host_actor host;       // Null until the layers are placed.
  caf::message held_back;      // A step that waits for them.
  step_id under_way;           // The step that the host has; or none.
  uint32_t layers_without_step = 0; // How many have said so since they were last asked.
};

remote_layers_actor::behavior_type remote_layers(remote_layers_actor::stateful_pointer<remote_layers_state> self,
                                                 remote_layers_config config);

} // namespace troupe
