#pragma once
// The design that llama made common: RMS norms before each half of a layer, rotary positions, a gated
// feed-forward with SiLU. The families that follow it differ in what is below.
#include "model/families/family.hpp"

namespace troupe {

struct gated_decoder_traits {
  std::string_view architecture;
  rope_kind rope = rope_kind::interleaved; // Of a GGUF file.
  bool has_qkv_biases = false;             // Required then; otherwise accepted where a file has them.
  bool has_query_key_norms = false;        // Each head's query and key are RMS-normalised before they turn.
};

model_description describe_gated_decoder(const model_source& source, const gated_decoder_traits& traits);

} // namespace troupe
