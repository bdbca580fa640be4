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
  bool of_encoder = false;
  uint32_t first_layer = 0; // The number of layer 0 of this stack in the whole model.
  std::string next;         // Path of layer 0.
  std::string previous;     // Behind an encoder: path of its last layer. Else empty.
  owner_config owner;
};

/// An embedding of a training run. Where there is no encoder before it, it is where a micro-batch's way forward begins and its way back
/// ends; behind one it passes the encoder's result on, and the gradient of that back, through the encoder's final norm. It owns its
/// tables and norms; where the token embedding is tied to the output matrix, the output's shards own that, and where an encoder has
/// the decoder's, that of the decoder does: then this has a copy.
///
/// Retry     a repeated message is dropped.
/// Restart   see parameter_owner.
struct training_embedding_state {
  static inline const char* name = "embedding";
  struct kept_batch {
    std::vector<uint32_t> tokens, positions, segments;
    dropout drops;
    float_field source; // What the encoder gave, before its final norm, where it has one.
    std::vector<float> pixels;
    embedding_input input() const { return {tokens, positions, segments, pixels}; }
  };
  training_embedding_config config;
  parameter_owner owner;
  order_gate forward, backward;
  std::map<uint32_t, kept_batch> kept; // By micro-batch.
};

training_embedding_actor::behavior_type
training_embedding(training_embedding_actor::stateful_pointer<training_embedding_state> self, training_embedding_config config);

} // namespace troupe
