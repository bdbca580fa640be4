#pragma once
// A model run part after part in one thread, without actors: the oracle that the actor graph must equal bit for bit.
#include "model/parts.hpp"
#include <vector>

namespace troupe {

/// One sequence. Not thread-safe.
class reference_model {
public:
  explicit reference_model(std::shared_ptr<const model_parts> parts);
  /// Continues the sequence by `tokens`. Returns the logits of each: [tokens.size() * vocabulary].
  /// hidden_states, where given, receives [layers + 1][tokens.size() * width]: after the embedding, after each layer.
  std::vector<float> forward(std::span<const uint32_t> tokens,
                             std::vector<std::vector<float>>* hidden_states = nullptr);
  uint32_t length() const { return length_; }

private:
  std::shared_ptr<const model_parts> parts_;
  std::vector<std::vector<kv_cache>> caches_; // [layers][kv_heads]
  uint32_t length_ = 0;
};

} // namespace troupe
