#pragma once
// Stacks of layers as "Attention Is All You Need" has them: post-norm, layer norms and biases everywhere, a plain feed-forward.
#include "model/families/family_reader.hpp"

namespace troupe {

/// What the tensors of one kind of attention are called within a layer.
struct attention_names {
  const char *query, *key, *value, *output, *norm;
};

struct post_norm_names {
  attention_names attention;
  const char *up, *down, *feed_forward_norm;
  std::optional<attention_names> cross_attention; // A decoder's.
};

struct post_norm_keys {
  const char *layers, *heads, *feed_forward, *activation;
};

/// Reads the layers' sizes under `keys` and their tensors under "<prefix><number>.<name>.weight" and ".bias". A decoder's layers are
/// causal, all others are not.
void read_post_norm_layers(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& prefix,
                           const post_norm_keys& keys, const post_norm_names& names, uint32_t width, float epsilon,
                           stack_spec& spec, stack_tensors& stack);

/// "gelu" and the other names of activation functions.
activation_kind read_activation(const hyperparameters& parameters, const published_name& key);

} // namespace troupe
