#pragma once
// One copy of a model as a tree of supervised actors.
#include "actors/supervisor.hpp"
#include "model/parts.hpp"
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct replica_config {
  uint32_t index = 0;
  std::shared_ptr<const model_parts> model;
  uint64_t cache_positions_max = 0; // Of each attention head.
  bool verify_caches = false;       // attention_head_config's.
  child_hook hook = {};
};

/// The supervisor of a replica as a child spec. Below it, one_for_one: the embedding; for each layer a supervisor of its
/// heads, its shards and the layer itself; a supervisor of the output and its shards. A dead actor is replaced alone: heads
/// lose their own caches only, everybody else loses nothing but the step under way. Where weights keep sums, no head and no
/// shard starts with wrong ones: they are verified first, and packed anew if they must be.
child_spec replica_child(const replica_config& config, const directory_actor& directory);

/// Paths of the stages in pipeline order: embedding, layers, output.
std::vector<std::string> stage_paths(const replica_config& config);

/// Paths of all that own packed weights: heads and shards.
std::vector<std::string> weight_owner_paths(const replica_config& config);

/// How many actors the directory knows when a troupe with this model stands and is idle.
size_t actor_count(const model_parts& model);

} // namespace troupe
