#pragma once
// What bart and marian share: a post-norm encoder and decoder with one embedding for source, target and output.
#include "model/families/layer_stack.hpp"

namespace troupe {

struct bart_traits {
  const char* architecture;
  position_kind positions;
  uint32_t position_offset;   // Of learned positions.
  bool has_embedding_norm;
};

model_description describe_bart_like(const model_source& source, const bart_traits& traits);

} // namespace troupe
