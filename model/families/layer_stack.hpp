#pragma once
// Stacks of layers as "Attention Is All You Need" has them: layer norms, biases, a plain feed-forward. Norms are behind the blocks
// (post-norm) unless a family says otherwise.
#include "model/families/family_reader.hpp"

namespace troupe {

/// What the tensors of one kind of attention are called within a layer.
struct attention_names {
  const char *query, *key, *value, *output, *norm;
};

struct layer_names {
  attention_names attention;
  const char *up, *down, *feed_forward_norm;
  std::optional<attention_names> cross_attention; // A decoder's.
  norm_place norms = norm_place::after;
  bool keys_have_bias = true;
};

struct layer_keys {
  const char *layers, *heads, *feed_forward, *activation;
};

/// Reads the layers' sizes under `keys` and their tensors under "<prefix><number>.<name>.weight" and ".bias". A decoder's layers are
/// causal, all others are not.
void read_layers(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& prefix, const layer_keys& keys,
                 const layer_names& names, uint32_t width, float epsilon, stack_spec& spec, stack_tensors& stack);

/// "gelu" and the other names of activation functions.
activation_kind read_activation(const hyperparameters& parameters, const published_name& key);

} // namespace troupe
