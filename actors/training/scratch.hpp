#pragma once
// Buffers for the maths of training, one set for each thread.
#include "model/training/trainable_parts.hpp"

namespace troupe {

training_scratch& training_scratch_of_this_thread();

/// The targets of a micro-batch's rows.
inline std::vector<int32_t> targets_of(const google::protobuf::RepeatedField<int32_t>& field) { return {field.begin(), field.end()}; }

} // namespace troupe
