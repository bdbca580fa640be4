#pragma once
#include "actors/training/kept_batches.hpp"
#include "actors/training/order_gate.hpp"
#include "actors/training/parameter_owner.hpp"
#include "model/training/trainable_parts.hpp"

namespace troupe {

struct training_head_config {
  trainable_head part; // Without values.
  bool of_encoder = false;
  owner_config owner;
};

/// The attention head of a training run: one key/value head with its query heads, their weights, gradients and optimiser state, of a
/// layer's own attention or of its cross-attention. A sequence is computed whole, so there is no cache; what backward needs of a
/// micro-batch is kept until then.
///
/// Answers   every HeadPass with a HeadPassResult to its sender.
/// Retry     a repeated HeadPass is dropped.
/// Restart   see parameter_owner.
struct training_head_state {
  static inline const char* name = "attention_head";
  struct kept_batch {
    caf::message request; // The forward HeadPass: the input.
    kept_head head;
    void release() { request = {}; }
  };
  trainable_head part;
  bool of_encoder = false;
  parameter_owner owner;
  order_gate forward, backward;
  kept_batches<kept_batch> kept;
};

training_head_actor::behavior_type training_head(training_head_actor::stateful_pointer<training_head_state> self,
                                                 training_head_config config);

} // namespace troupe
