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

struct training_output_config {
  trainable_output part;           // Without values.
  uint32_t width = 0, leaf_rows_min = 0;
  std::vector<std::string> shards; // Paths.
  std::string previous;            // Path of the last layer.
  owner_config owner;
};

/// The output of a training run: the final norm, the transform where there is one, the loss, and the turn from forward to backward.
/// Logits stay with its shards; it puts together what they say of each result (the largest logit, the sum of exponentials, the target's
/// logit). Its rounds are transform and logits forward, logits and transform backward.
///
/// Retry     a repeated message is dropped.
/// Restart   see parameter_owner.
/// Faults    to the trainer: NON_FINITE and BAD_SHAPE with the path of the shard whose answer it was, NON_FINITE with its own path for
///           a loss that is not finite.
struct training_output_state {
  static inline const char* name = "output";
  struct batch_under_way {
    v1::MicroBatch batch;
    uint32_t rows = 0, results = 0;
    bool backward = false, in_transform = false; // Which round.
    std::vector<int32_t> targets;
    float_field in;          // What the norm got: [rows, width]
    float_field transformed; // The transform's product, before its activation: [results, width]
    uint64_t compute_ns = 0;
    round_answers<v1::LogitSums> sums;
    round_answers<v1::ShardPassResult> from_shards;
  };
  training_output_config config;
  parameter_owner owner;
  order_gate forward;
  std::map<std::pair<bool, bool>, uint32_t> turns; // By direction (true: backward) and transform: which micro-batch's round is to end next.
  std::map<uint32_t, batch_under_way> batches; // By micro-batch.
};

training_output_actor::behavior_type training_output(training_output_actor::stateful_pointer<training_output_state> self,
                                                     training_output_config config);

} // namespace troupe
