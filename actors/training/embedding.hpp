#pragma once
#include "actors/training/order_gate.hpp"
#include "actors/training/parameter_owner.hpp"
#include "model/training/dropout.hpp"
#include "model/training/trainable_parts.hpp"
#include <map>
#include <string>

namespace troupe {

struct training_embedding_config {
  trainable_embedding part; // Without values.
  std::string next;         // Path of layer 0.
  owner_config owner;
};

/// The embedding of a training run: where a micro-batch's way forward begins and its way back ends. It owns the position embeddings
/// and the token embeddings; where those are tied to the output matrix, the output's shards own them and this has a copy.
///
/// Retry     a repeated message is dropped.
/// Restart   see parameter_owner.
struct training_embedding_state {
  static inline const char* name = "embedding";
  struct kept_batch {
    std::vector<uint32_t> tokens, positions;
    dropout drops;
  };
  trainable_embedding part;
  std::string next;
  parameter_owner owner;
  order_gate forward, backward;
  std::map<uint32_t, kept_batch> kept; // By micro-batch.
};

training_embedding_actor::behavior_type
training_embedding(training_embedding_actor::stateful_pointer<training_embedding_state> self, training_embedding_config config);

} // namespace troupe
