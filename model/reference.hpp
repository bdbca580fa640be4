#pragma once
// A model run part after part in one thread, without actors: the oracle that the actor graph must equal bit
// for bit.
#include "model/parts.hpp"
#include <vector>

namespace troupe {

/// One sequence. Not thread-safe.
class reference_model {
public:
  using hidden_states = std::vector<std::vector<float>>; // [layers + 1][rows * width]: after the embedding, after each layer.

  explicit reference_model(std::shared_ptr<const model_parts> parts);
  /// The source, for a model with an encoder: begins a new sequence, which must not be empty. `states` receives those of the encoder,
  /// and as the last one what its final norm makes of them. Throws input_error as forward does.
  void encode(std::span<const uint32_t> source, hidden_states* states = nullptr);
  /// The same for a model that listens. features: as audio_spec has them.
  void encode_sound(std::span<const float> features, hidden_states* states = nullptr);
  /// Continues the sequence by `tokens`. Returns the logits of each, [tokens.size() * output.columns], or only those of the sequence
  /// where the output is of its first row. How a sequence is cut into calls changes no bit; where rows see later rows it is a whole
  /// sequence each time. segments: of each token, or empty.
  /// Throws input_error for a token beyond the vocabulary or a position beyond positions_max; the sequence is
  /// then as it was.
  std::vector<float> forward(std::span<const uint32_t> tokens, hidden_states* states = nullptr,
                             std::span<const uint32_t> segments = {});
  /// The same for a model of images; one image is a sequence. pixels: as image_spec has them.
  std::vector<float> forward_image(std::span<const float> pixels, hidden_states* states = nullptr);
  uint32_t length() const { return length_; }
  /// Goes back to the first `length` positions, length <= length(); forward() then writes over the others.
  void rewind(uint32_t length);

private:
  void encode_rows(std::span<const uint32_t> source, std::span<const float> features, hidden_states* states);

  std::shared_ptr<const model_parts> parts_;
  std::vector<std::vector<kv_cache>> caches_, cross_caches_; // [layers][kv_heads]
  uint32_t length_ = 0;
  part_scratch scratch_;
};

} // namespace troupe
