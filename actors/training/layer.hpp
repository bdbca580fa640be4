#pragma once
#include "actors/training/order_gate.hpp"
#include "actors/training/parameter_owner.hpp"
#include "actors/training/round.hpp"
#include "model/training/trainable_parts.hpp"
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

struct training_layer_config {
  uint32_t index = 0;  // In its stack.
  bool of_encoder = false;
  uint32_t number = 0; // In the whole model.
  layer_spec spec;
  uint32_t width = 0, leaf_rows_min = 0;
  trainable_layer part;                                // Without values.
  std::vector<std::string> heads, cross_heads, shards; // Paths.
  std::string next, previous;                          // Paths of the stages after and before it.
  owner_config owner;
};

/// One layer of a training run. Forward as in inference (actors/inference/layer.hpp), in four rounds, or six where there is
/// cross-attention; backward the same rounds in reverse order: each asks all shards (or heads) for the gradient of their input, whose
/// parts the layer adds in a fixed order.
/// Several micro-batches are under way at once, each in a round of its own. It owns its norms, and the query and key norms that its
/// heads have copies of.
///
/// Retry     a repeated message is dropped.
/// Restart   see parameter_owner.
/// Faults    to the trainer: NON_FINITE and BAD_SHAPE with the path of the head or shard whose answer it was.
struct training_layer_state {
  static inline const char* name = "layer";

  enum class round_kind : uint8_t { heads, output, cross_heads, cross_output, inner, outer };
  struct batch_under_way {
    v1::MicroBatch batch;
    uint32_t rows = 0;
    bool backward = false;
    round_kind round = round_kind::heads;
    google::protobuf::RepeatedField<int32_t> targets;
    float_field attention_in, cross_attention_in, feed_forward_in; // What the norms got: [rows, width].
    float_field stream; // Forward: the residual stream. Backward: its gradient. [rows, width]
    float_field source; // In a decoder, [source rows, width]. Forward: what the encoder gave. Backward: the sum of its gradients.
    google::protobuf::RepeatedField<uint32_t> tokens; // In an encoder: the decoder's.
    uint64_t compute_ns = 0;
    round_answers<v1::HeadPassResult> from_heads;
    round_answers<v1::ShardPassResult> from_shards;
  };

  training_layer_config config;
  parameter_owner owner;
  order_gate forward, backward;
  std::map<std::pair<bool, round_kind>, uint32_t> turns; // Which micro-batch's round is to end next; true: backward.
  std::map<uint32_t, batch_under_way> batches; // By micro-batch.
};

training_layer_actor::behavior_type training_layer(training_layer_actor::stateful_pointer<training_layer_state> self,
                                                   training_layer_config config);

} // namespace troupe
