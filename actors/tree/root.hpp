#pragma once
// The supervision tree: all actors that serve a model, below one root.
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/requests/sequences.hpp"
#include "actors/scheduling/scheduler.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/supervisor.hpp"
#include "actors/tree/cluster_tree.hpp"
#include "actors/tree/replica.hpp"
#include "model/parts.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace troupe {

struct troupe_config {
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words; // May be null.
  batch_limits limits; // Of each replica.
  uint32_t sequences_max = 256;
  child_hook hook = {}; // For all actors below the root.
  bool verify_caches = false;          // See attention_head_config.
  uint64_t scrub_bytes_per_second = 0; // See scrubber_config; 0: no scrubber is started.
  uint64_t waiting_bytes_max = 256 << 20; // See sequences_config.
  uint32_t replicas = 1; // Copies of the model that compute side by side. They share its weights.
  log_function log = {};
  std::shared_ptr<const cluster_tree> cluster = nullptr; // Workers that compute the layers; null: all layers are here.
};

/// The children of /supervisor, of a given directory. Those and all below them pass the hook.
using runtime_children = std::function<std::vector<child_spec>(const directory_actor&, const child_hook&)>;

/// The root supervisor. Its handle is the only one that never changes, so it also answers where the directory is
/// (FindDirectory). The answer goes to the sender, as (ActorStarted, handle).
///
///   /                  rest_for_one: without the directory no actor finds another, so all after it start again with it
///   ├── /directory
///   └── /supervisor    one_for_one
///       └── ...            as `children` says
///
/// With (UseFaultInjector, handle) it ends the directory, so that all start again: with proxies of that injector, whatever hook it had
/// before, or with none.
///
/// Retry     FindDirectory may be sent any number of times; while no directory runs, the answer waits for the next one. UseFaultInjector
///           twice: all start again twice.
/// Restart   none. An exit_msg stops all actors in order. Ends by itself only when restarts keep failing: then all requests
///           are lost, and clients report "the engine has stopped".
root_actor spawn_root(caf::actor_system& system, child_hook hook, runtime_children children, log_function log = {});

/// The same for all actors that serve a model:
///
///   ├── /scheduler
///   ├── /sequences
///   ├── /replica/0/supervisor ...   and those of other replicas
///   ├── /cluster          where workers compute layers
///   ├── /cluster/worker/NAME ...    a link to each
///   └── /scrubber         where weights are scrubbed
root_actor spawn_root(caf::actor_system& system, troupe_config config);

} // namespace troupe
