// Llama 1 to 3 (Touvron et al. 2023) and what shares its design: Mistral, TinyLlama, SmolLM, ...
#include "model/families/gated_decoder.hpp"

namespace troupe {

model_description describe_llama(const model_source& source) {
  return describe_gated_decoder(source, {.architecture = "llama", .rope = rope_kind::interleaved});
}

} // namespace troupe
