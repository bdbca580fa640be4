#pragma once
// A replica: one copy of a model as a tree of supervised actors.
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"
#include "actors/supervision/supervisor.hpp"
#include "model/parts.hpp"
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct replica_config {
  uint32_t index = 0;
  std::shared_ptr<const model_parts> model;
  uint64_t cache_positions_max = 0; // Of each attention head.
  bool verify_caches = false;       // See attention_head_config.
  child_hook hook = {};
  uint32_t remote_segments = 0;     // Of each stack, in workers; 0: all layers are here.
};

/// The supervisor of a replica as a child spec. Below it, one_for_one: the embedding; for each layer a supervisor of its
/// heads, its shards and the layer itself, or for some layers in a worker the stage that stands for them; a supervisor of the output and
/// its shards. An actor that ended is replaced alone: a
/// head loses its own caches only, every other actor loses nothing but the step under way. Where weights are kept with sums
/// (make_parts), no head and no shard starts with corrupt ones: they are verified first, and packed anew if necessary.
child_spec replica_child(const replica_config& config, const directory_actor& directory);

/// Paths of the stages in pipeline order: embedding, layers, output; before them those of an encoder.
std::vector<std::string> stage_paths(const replica_config& config);
/// Those at which a step may begin: the embedding; for a step with sources the encoder's.
std::vector<std::string> entry_paths(const replica_config& config);

/// Paths of all that own packed weights: heads and shards.
std::vector<std::string> weight_owner_paths(const replica_config& config);

/// A layer with its supervisor, heads and shards, as replica_child has it, with another stage behind it: for a worker.
child_spec layer_child(const replica_config& config, bool of_encoder, uint32_t index, const std::string& next,
                       const directory_actor& directory);
/// Their paths.
std::vector<std::string> layer_actor_paths(const replica_config& config, bool of_encoder, uint32_t index);

/// How many actors the directory lists when all actors that serve this model in so many replicas are running and no request is under way;
/// without the scrubber, and without layers that are not in `model`, nor what stands for them.
size_t actor_count(const model_parts& model, uint32_t replicas);

} // namespace troupe
