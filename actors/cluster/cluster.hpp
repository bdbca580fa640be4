#pragma once
#include "actors/cluster/placements.hpp"
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"
#include <caf/all.hpp>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace troupe {

struct cluster_config {
  placements_config placing;
  v1::ModelUse model;
  std::vector<uint64_t> layer_hashes = {}, encoder_layer_hashes = {}; // See LayerRange. May be empty.
  std::vector<std::string> workers; // Their names: those that are expected.
  directory_actor directory;
  log_function log = {};
  uint64_t first_placement = 1; // Random: placements of an earlier incarnation must not have the same numbers.
  caf::timespan retry_first = std::chrono::milliseconds(20), retry_max = std::chrono::seconds(2); // After a placement that ended by itself.
};

/// Knows all workers of this engine and decides who computes which layers (placements.hpp). Thin: the links say who is there, the
/// stages say when a placement ended, and they do the placing.
///
/// Retry     a stage may ask again, and is told again; a worker may be said to be ready, or lost, again.
/// Restart   the new one hears of workers and stages again, because the directory tells them of it; it places all layers anew. Drains
///           are forgotten.
struct cluster_state {
  static inline const char* name = "cluster";
  using segment_key = std::tuple<bool, uint32_t, uint32_t>; // of_encoder, segment, replica

  struct worker {
    worker_actor handle; // Null: not ready.
    v1::WorkerReady ready;
    std::string reason;  // Why it was lost.
    uint64_t times_lost = 0;
    bool has_all = false; // It was told to preload what there is.
  };
  struct stage {
    remote_layers_actor actor;
    segment_place place;    // What it was told last; of no worker: nothing.
    uint64_t placement = 0; // Its number,
    caf::actor_clock::time_point began; // and when it was told.
    uint32_t ended = 0;     // So many placements in a row ended soon and by themselves, and the next one
    caf::actor_clock::time_point due; // is not begun before this.
  };

  cluster_config config;
  placements policy{{.layers = 1}};
  std::map<std::string, worker> workers;
  std::map<segment_key, stage> stages;
  uint64_t placements_made = 0;
  bool ticking = false; // While something waits for time to pass.
};

cluster_actor::behavior_type cluster(cluster_actor::stateful_pointer<cluster_state> self, cluster_config config);

} // namespace troupe
