// GPT-2 (Radford et al. 2019): learned positions, layer norms and biases everywhere, queries, keys and values
// in one fused projection, a plain feed-forward with GELU in its tanh form.
#include "model/families/family.hpp"
#include "model/families/family_reader.hpp"
#include <cmath>

namespace troupe {
namespace {

using bias = tensor_lookup::bias;

/// Rows [first, first + count) of a projection with a bias. A bias is not quantised: its elements have whole
/// bytes.
projection_tensors cut(const projection_tensors& fused, uint64_t first, uint64_t count) {
  projection_tensors result{fused.weight.row_slice(first, count), fused.bias};
  const uint64_t element_bytes = traits_of(fused.bias->type).block_bytes;
  result.bias->columns = count;
  result.bias->bytes = fused.bias->bytes.subspan(first * element_bytes, count * element_bytes);
  return result;
}

layer_tensors read_layer(tensor_lookup& tensors, const std::string& block, const decoder_sizes& sizes) {
  layer_tensors layer;
  layer.attention_norm = tensors.norm(block + "attn_norm", sizes.width, bias::required);
  const uint64_t rows = uint64_t(sizes.heads) * sizes.head_dim;
  const auto fused = tensors.projection(block + "attn_qkv", 3 * rows, sizes.width, bias::required);
  layer.attention.query = cut(fused, 0, rows);
  layer.attention.key = cut(fused, rows, rows);
  layer.attention.value = cut(fused, 2 * rows, rows);
  layer.attention.output = tensors.projection(block + "attn_output", sizes.width, rows, bias::required);
  layer.feed_forward_norm = tensors.norm(block + "ffn_norm", sizes.width, bias::required);
  layer.feed_forward.up =
      tensors.projection(block + "ffn_up", sizes.feed_forward, sizes.width, bias::required);
  layer.feed_forward.down =
      tensors.projection(block + "ffn_down", sizes.width, sizes.feed_forward, bias::required);
  return layer;
}

layer_spec describe_layer(const decoder_sizes& sizes, norm_spec norm) {
  layer_spec layer;
  layer.attention.heads = layer.attention.kv_heads = sizes.heads;
  layer.attention.head_dim = sizes.head_dim;
  layer.attention.scale = 1.0f / std::sqrt(float(sizes.head_dim));
  layer.feed_forward = {false, activation_kind::gelu_tanh, sizes.feed_forward};
  layer.norm = norm;
  return layer;
}

} // namespace

model_description describe_gpt2(const gguf& file) {
  const hyperparameters parameters(file, "gpt2");
  tensor_lookup tensors(file);
  const decoder_sizes sizes = read_sizes(file, parameters);
  if (sizes.kv_heads != sizes.heads) {
    parameters.fail("attention.head_count_kv",
                    "wanted as many as query heads: gpt2 does not share keys and values");
  }
  const norm_spec norm{norm_kind::layer, parameters.number("attention.layer_norm_epsilon", epsilon_bounds)};

  model_description model;
  model.tensors.embedding = tensors.table("token_embd.weight", vocabulary_max, sizes.width);
  model.tensors.positions = tensors.matrix("position_embd.weight", sizes.context_length, sizes.width);
  model.spec = start_spec(file, "gpt2", sizes, model.tensors.embedding);
  model.spec.learned_positions = true;
  model.spec.final_norm = norm;
  model.tensors.layers.reserve(sizes.layers);
  model.spec.layers.reserve(sizes.layers);
  for (uint32_t i = 0; i < sizes.layers; ++i) {
    model.tensors.layers.push_back(read_layer(tensors, "blk." + std::to_string(i) + ".", sizes));
    model.spec.layers.push_back(describe_layer(sizes, norm));
  }
  model.tensors.final_norm = tensors.norm("output_norm", sizes.width, bias::required);
  model.tensors.output = read_output(tensors, model.tensors.embedding);
  tensors.require_all_used();
  return model;
}

} // namespace troupe
