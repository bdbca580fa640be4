#pragma once
// Buffers for the maths of training, one set for each thread.
#include "model/training/dropout.hpp"
#include "model/training/trainable_parts.hpp"
#include "troupe/v1/training.pb.h"
#include <vector>

namespace troupe {

training_scratch& training_scratch_of_this_thread();

/// What of a micro-batch is dropped: nothing in an evaluation.
inline dropout dropout_of(const v1::MicroBatch& batch) {
  const auto& message = batch.dropout();
  return {batch.evaluate() ? 0 : message.share(), message.seed(), message.update(), message.first_row()};
}

/// The targets of a micro-batch's rows.
inline std::vector<int32_t> targets_of(const google::protobuf::RepeatedField<int32_t>& field) { return {field.begin(), field.end()}; }

} // namespace troupe
