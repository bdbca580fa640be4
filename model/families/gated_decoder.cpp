#include "model/families/gated_decoder.hpp"
#include "model/families/family_reader.hpp"
#include <cmath>

namespace troupe {
namespace {

using bias = tensor_lookup::bias;

layer_tensors read_layer(tensor_lookup& tensors, const std::string& block, const gated_decoder_traits& traits,
                         const decoder_sizes& sizes) {
  const uint64_t query_rows = uint64_t(sizes.heads) * sizes.head_dim;
  const uint64_t key_rows = uint64_t(sizes.kv_heads) * sizes.head_dim;
  const bias qkv_bias = traits.has_qkv_biases ? bias::required : bias::optional;

  layer_tensors layer;
  layer.attention_norm = tensors.norm(block + "attn_norm", sizes.width, bias::none);
  layer.attention.query = tensors.projection(block + "attn_q", query_rows, sizes.width, qkv_bias);
  layer.attention.key = tensors.projection(block + "attn_k", key_rows, sizes.width, qkv_bias);
  layer.attention.value = tensors.projection(block + "attn_v", key_rows, sizes.width, qkv_bias);
  layer.attention.output = tensors.projection(block + "attn_output", sizes.width, query_rows);
  if (traits.has_query_key_norms) {
    layer.attention.query_norm = tensors.norm(block + "attn_q_norm", sizes.head_dim, bias::none);
    layer.attention.key_norm = tensors.norm(block + "attn_k_norm", sizes.head_dim, bias::none);
  }
  layer.feed_forward_norm = tensors.norm(block + "ffn_norm", sizes.width, bias::none);
  layer.feed_forward.gate = tensors.projection(block + "ffn_gate", sizes.feed_forward, sizes.width);
  layer.feed_forward.up = tensors.projection(block + "ffn_up", sizes.feed_forward, sizes.width);
  layer.feed_forward.down = tensors.projection(block + "ffn_down", sizes.width, sizes.feed_forward);
  return layer;
}

layer_spec describe_layer(const gated_decoder_traits& traits, const decoder_sizes& sizes, norm_spec norm,
                          const rope_spec& rope) {
  layer_spec layer;
  layer.attention.heads = sizes.heads;
  layer.attention.kv_heads = sizes.kv_heads;
  layer.attention.head_dim = sizes.head_dim;
  layer.attention.rope = rope;
  if (traits.has_query_key_norms) layer.attention.query_key_norm = norm;
  layer.attention.scale = 1.0f / std::sqrt(float(sizes.head_dim));
  layer.feed_forward = {true, activation_kind::silu, sizes.feed_forward};
  layer.norm = norm;
  return layer;
}

} // namespace

model_description describe_gated_decoder(const gguf& file, const gated_decoder_traits& traits) {
  const hyperparameters parameters(file, traits.architecture);
  tensor_lookup tensors(file);
  const decoder_sizes sizes = read_sizes(file, parameters);
  const norm_spec norm{norm_kind::rms, parameters.number("attention.layer_norm_rms_epsilon", epsilon_bounds)};
  const rope_spec rope = read_rope(file, parameters, tensors, traits.rope, sizes.head_dim);

  model_description model;
  model.tensors.embedding = tensors.table("token_embd.weight", vocabulary_max, sizes.width);
  model.spec = start_spec(file, traits.architecture, sizes, model.tensors.embedding);
  model.spec.final_norm = norm;
  model.tensors.layers.reserve(sizes.layers);
  model.spec.layers.reserve(sizes.layers);
  for (uint32_t i = 0; i < sizes.layers; ++i) {
    model.tensors.layers.push_back(read_layer(tensors, "blk." + std::to_string(i) + ".", traits, sizes));
    model.spec.layers.push_back(describe_layer(traits, sizes, norm, rope));
  }
  model.tensors.final_norm = tensors.norm("output_norm", sizes.width, bias::none);
  model.tensors.output = read_output(tensors, model.tensors.embedding);
  tensors.require_all_used();
  return model;
}

} // namespace troupe
