// Qwen 3 (2025): the llama design with a norm on each head's query and key; heads may be wider than width /
// heads.
#include "model/families/gated_decoder.hpp"

namespace troupe {

model_description describe_qwen3(const model_source& source) {
  return describe_gated_decoder(
      source, {.architecture = "qwen3", .rope = rope_kind::half_split, .has_query_key_norms = true});
}

} // namespace troupe
