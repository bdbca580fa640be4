#pragma once
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "model/parts.hpp"
#include <caf/all.hpp>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct worker_config {
  v1::WorkerFacts facts;
  std::string model = {};          // Not empty: the file or folder to read, instead of the one that the coordinator names.
  std::shared_ptr<const model_parts> parts = nullptr; // Not null: all that coordinators ask for is in these; no file is read.
  bool own_threads = true;         // The pulse has a thread of its own; not in simulation.
  uint32_t shards = 1;             // Of each layer.
  job_runner run_jobs = run_in_order; // For packing weights; called inside the worker actor.
  child_hook hook = {};            // For all actors of placements.
  log_function log = {};
};

/// What a worker process does: loads the layers that coordinators place on it, and has a tree of actors for each placement:
///
///   /                     a root, as in a coordinator
///   ├── /directory
///   └── /supervisor
///       ├── /scheduler               the layer host
///       └── /replica/R/layer/I/supervisor ...
///
/// Weights are kept from placement to placement, so that what a connection's end has stopped begins again at once. What no placement uses
/// goes when another model comes.
///
/// Loading takes its time, in which the worker handles no other message; its pulse answers meanwhile, and the actors of placements run on.
///
/// Retry     a stage has one placement at a time: the next one ends the one before.
/// Restart   none: when it ends, the process does, and coordinators notice.
/// Errors    PlacementRefused, with the reason: a file that is missing, damaged or another model's; out of memory.
struct worker_state {
  static inline const char* name = "worker";
  /// Weights of some layers. The same for all placements of these layers.
  struct loaded {
    std::shared_ptr<const model_parts> parts;
    bool of_encoder = false;
    range layers;
    std::vector<uint64_t> hashes; // Of these layers, as a coordinator has asked for them.
    v1::ModelUse use;
  };
  struct placed {
    remote_layers_actor owner;
    root_actor root;
  };

  worker_config config;
  pulse_actor pulse;
  std::string open_path; // Of `model`,
  std::shared_ptr<const model_file> model;
  std::vector<loaded> kept;
  std::vector<placed> placements;

  worker_state() = default;
  worker_state(const worker_state&) = delete;
  worker_state& operator=(const worker_state&) = delete;
  ~worker_state(); // Its placements end with it, and so does its pulse.
};

worker_actor::behavior_type worker(worker_actor::stateful_pointer<worker_state> self, worker_config config);

} // namespace troupe
