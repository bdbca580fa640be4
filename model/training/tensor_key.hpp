#pragma once
// Names for the tensors of a model, by their role: what gradients, optimiser states and checkpoints refer to.
#include "model/spec.hpp"
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace troupe {

enum class tensor_role : uint8_t {
  token_embedding,
  position_embedding,
  attention_norm,
  query,
  key,
  value,
  query_norm,
  key_norm,
  attention_output,
  feed_forward_norm,
  gate,
  up,
  down,
  final_norm,
  output,
};

/// A tensor of a model. Ordered: by layer, then by role.
struct tensor_key {
  uint32_t layer = 0; // 0 where the role has no layers.
  tensor_role role = tensor_role::token_embedding;
  bool is_bias = false;
  auto operator<=>(const tensor_key&) const = default;
};

/// "layer 3 query bias", for people.
std::string to_string(const tensor_key& key);

struct keyed_tensor {
  tensor_key key;
  const stored_tensor* view; // Into the model_tensors.
};

/// All tensors of a model, in the order of keys. The output matrix is left out where it is the embedding itself (is_tied).
std::vector<keyed_tensor> keyed_tensors(const model_tensors& tensors);

/// Whether the output matrix is the token embedding: the same bytes under the same name.
bool is_tied(const model_tensors& tensors);

} // namespace troupe
