#pragma once
// The whole troupe: everything that runs a model, below one root.
#include "actors/replica.hpp"
#include "actors/roles.hpp"
#include "actors/scheduler.hpp"
#include "actors/sequences.hpp"
#include "actors/supervisor.hpp"

namespace troupe {

struct troupe_config {
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words; // May be null.
  batch_limits limits;
  uint32_t sequences_max = 256;
  child_hook hook = {}; // For everyone below the root.
  bool verify_caches = false;          // See attention_head_config.
  uint64_t audit_bytes_per_second = 0; // See auditor.hpp; 0: nobody audits.
};

/// The root supervisor. It takes no part in the work; it answers the one question that needs a place that never moves:
/// where is the directory? The answer goes to the sender, as (ActorStarted, handle).
///
///   /                  rest_for_one: without the directory nobody finds anybody, so all after it start again with it
///   ├── /directory
///   └── /supervisor    one_for_one
///       ├── /scheduler
///       ├── /sequences
///       ├── /auditor          where weights are audited
///       └── /replica/0/supervisor ...
///
/// An exit_msg stops the troupe in order. Ends by itself only when restarts keep failing: then all requests are lost.
using root_actor = supervisor_actor::extend<caf::reacts_to<v1::FindDirectory>>;

root_actor spawn_root(caf::actor_system& system, troupe_config config);

} // namespace troupe
