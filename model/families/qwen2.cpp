// Qwen 2 and 2.5 (Yang et al. 2024): the llama design with biases on queries, keys and values.
#include "model/families/gated_decoder.hpp"

namespace troupe {

model_description describe_qwen2(const model_source& source) {
  return describe_gated_decoder(
      source, {.architecture = "qwen2", .rope = rope_kind::half_split, .has_qkv_biases = true});
}

} // namespace troupe
