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
  segment_embedding,
  embedding_norm,
  relative_positions, // One table for all layers of a stack.
  cross_attention_norm,
  cross_query,
  cross_key,
  cross_value,
  cross_attention_output,
  output_transform,
  output_transform_norm,
  patches, // Of images.
  first_convolution, second_convolution, // Of sound.
};

/// A tensor of a model. Ordered: by layer, then by role.
struct tensor_key {
  uint32_t layer = 0; // 0 where the role has no layers.
  tensor_role role = tensor_role::token_embedding;
  bool is_bias = false;
  bool of_encoder = false; // Of the encoder before the decoder.
  auto operator<=>(const tensor_key&) const = default;
};

/// "encoder layer 3 query bias", for people.
std::string to_string(const tensor_key& key);

/// Whether it is the weight or bias of a norm.
bool is_norm(tensor_role role);

struct keyed_tensor {
  tensor_key key;
  const stored_tensor* view; // Into the model_tensors.
};

/// All tensors of a model, in the order of keys, each once: the output matrix and the encoder's token embedding are left out where they
/// are the token embedding itself (is_tied, shares_embedding).
std::vector<keyed_tensor> keyed_tensors(const model_tensors& tensors);

/// Whether the output matrix is the token embedding: the same bytes under the same name.
bool is_tied(const model_tensors& tensors);

/// Whether there is an encoder whose token embedding is the decoder's.
bool shares_embedding(const model_tensors& tensors);

} // namespace troupe
