#pragma once
// A model run part after part in one thread, without actors: the oracle that the actor graph must equal bit
// for bit.
#include "model/parts.hpp"
#include <vector>

namespace troupe {

/// One sequence. Not thread-safe.
class reference_model {
public:
  explicit reference_model(std::shared_ptr<const model_parts> parts);
  /// Continues the sequence by `tokens`. Returns the logits of each: [tokens.size() * vocabulary].
  /// How a sequence is cut into calls changes no bit. hidden_states, where given, receives
  /// [layers + 1][tokens.size() * width]: after the embedding, after each layer.
  /// Throws input_error for a token beyond the vocabulary or a position beyond positions_max; the sequence is
  /// then as it was.
  std::vector<float> forward(std::span<const uint32_t> tokens,
                             std::vector<std::vector<float>>* hidden_states = nullptr);
  uint32_t length() const { return length_; }
  /// Goes back to the first `length` positions, length <= length(); forward() then writes over the others.
  void rewind(uint32_t length);

private:
  std::shared_ptr<const model_parts> parts_;
  std::vector<std::vector<kv_cache>> caches_; // [layers][kv_heads]
  uint32_t length_ = 0;
  part_scratch scratch_;
};

} // namespace troupe
