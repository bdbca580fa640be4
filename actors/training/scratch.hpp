#pragma once
// Buffers for the maths of training, one set for each thread.
#include "model/error.hpp"
#include "model/training/dropout.hpp"
#include "model/training/trainable_parts.hpp"
#include "troupe/v1/training.pb.h"
#include <vector>

namespace troupe {

training_scratch& training_scratch_of_this_thread();

/// What of a micro-batch is dropped: nothing in an evaluation.
inline dropout dropout_of(const v1::MicroBatch& batch) {
  const auto& message = batch.dropout();
  return {batch.evaluate() ? 0 : message.share(), message.seed(), message.update(), message.first_row(),
          message.first_source_row()};
}
inline dropout dropout_of(const v1::MicroBatch& batch, bool of_encoder) {
  return of_encoder ? dropout_of(batch).of_source() : dropout_of(batch);
}

/// Of the sequences of a stack.
inline std::vector<uint32_t> lengths_of(const v1::MicroBatch& batch, bool of_encoder) {
  const auto& lengths = of_encoder ? batch.source_lengths() : batch.lengths();
  return {lengths.begin(), lengths.end()};
}
/// Throws broken_invariant for more than a message could hold.
inline uint32_t rows_of(const v1::MicroBatch& batch, bool of_encoder) {
  uint64_t rows = 0;
  for (const uint32_t length : of_encoder ? batch.source_lengths() : batch.lengths()) rows += length;
  TROUPE_ASSERT(rows <= INT32_MAX);
  return uint32_t(rows);
}

/// The targets of a micro-batch's results.
inline std::vector<int32_t> targets_of(const google::protobuf::RepeatedField<int32_t>& field) { return {field.begin(), field.end()}; }

} // namespace troupe
