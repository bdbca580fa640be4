#pragma once
#include "actors/training/kept_batches.hpp"
#include "actors/training/order_gate.hpp"
#include "actors/training/parameter_owner.hpp"
#include "model/training/trainable_parts.hpp"
#include <map>
#include <vector>

namespace troupe {

struct training_shard_config {
  uint32_t index = 0; // Among the shards of its layer.
  trainable_shard part; // Without values.
  owner_config owner;
};

/// A projection shard of a training run: some output rows of the matrices of a layer, besides the attention heads', with their
/// gradients and optimiser state.
///
/// Answers   every ShardPass with a ShardPassResult to its sender.
/// Retry     a repeated ShardPass is dropped.
/// Restart   see parameter_owner.
struct training_shard_state {
  static inline const char* name = "projection_shard";
  struct kept_batch {
    std::map<v1::Projection, caf::message> requests; // The forward ShardPasses: the inputs.
    kept_inner inner;
    void release() { requests.clear(); }
  };
  uint32_t index = 0;
  trainable_shard part;
  parameter_owner owner;
  std::map<std::pair<v1::Projection, bool>, order_gate> gates; // By direction.
  kept_batches<kept_batch> kept;
};

training_shard_actor::behavior_type training_shard(training_shard_actor::stateful_pointer<training_shard_state> self,
                                                   training_shard_config config);

struct training_output_shard_config {
  uint32_t index = 0; // Among the output's shards.
  trainable_output_shard part; // Without values.
  owner_config owner;
};

/// The same of the output matrix: a range of its columns, and of those of the transform before it. It keeps its logits to itself; the
/// output gets their sums.
///
/// Answers   every SumLogits with LogitSums, every ShardPass (of PROJECTION_LOGITS, backward, and of PROJECTION_OUTPUT_TRANSFORM)
///           with a ShardPassResult.
struct training_output_shard_state {
  static inline const char* name = "projection_shard";
  struct kept_batch {
    caf::message request;           // The SumLogits.
    caf::message transform_request; // The ShardPass of the transform, where there is one.
    kept_logits logits;
    void release() { request = transform_request = {}; }
  };
  uint32_t index = 0;
  trainable_output_shard part;
  parameter_owner owner;
  order_gate forward, backward, transform_forward, transform_backward;
  kept_batches<kept_batch> kept;
};

training_output_shard_actor::behavior_type
training_output_shard(training_output_shard_actor::stateful_pointer<training_output_shard_state> self,
                      training_output_shard_config config);

} // namespace troupe
