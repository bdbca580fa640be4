#pragma once
// Stacks of layers as "Attention Is All You Need" has them: layer norms, biases, a plain feed-forward. Norms are behind the blocks
// (post-norm) unless a family says otherwise.
#include "model/families/family_reader.hpp"

namespace troupe {

/// What the tensors of one kind of attention are called within a layer.
struct attention_names {
  const char *query, *key, *value, *output, *norm;
};

/// As bart, and those who came after it, publish them.
inline constexpr attention_names bart_self{"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj",
                                           "self_attn_layer_norm"};
inline constexpr attention_names bart_cross{"encoder_attn.q_proj", "encoder_attn.k_proj", "encoder_attn.v_proj", "encoder_attn.out_proj",
                                            "encoder_attn_layer_norm"};

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
