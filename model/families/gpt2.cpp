// GPT-2 (Radford et al. 2019): learned positions, layer norms and biases everywhere, queries, keys and values
// in one fused projection, a plain feed-forward with GELU in its tanh form. Hugging Face stores its
// projections the other way round.
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
  result.bias->offset += first * element_bytes;
  return result;
}

const decoder_keys gpt2_keys{.width = {"embedding_length", "n_embd"},
                             .layers = {"block_count", "n_layer"},
                             .context_length = {"context_length", "n_positions"},
                             .feed_forward = {"feed_forward_length", "n_inner"},
                             .heads = {"attention.head_count", "n_head"},
                             .kv_heads = {"attention.head_count_kv", ""},
                             .head_dim = {"attention.key_length", ""},
                             .feed_forward_times_width = 4};

layer_tensors read_layer(tensor_lookup& tensors, const published_name& block, const decoder_sizes& sizes) {
  const auto named = [&](const char* gguf, const char* hugging_face) {
    return block + published_name{gguf, hugging_face};
  };
  layer_tensors layer;
  layer.attention_norm = tensors.norm(named("attn_norm", "ln_1"), sizes.width, bias::required);
  const uint64_t rows = uint64_t(sizes.heads) * sizes.head_dim;
  const auto fused = tensors.conv1d(named("attn_qkv", "attn.c_attn"), 3 * rows, sizes.width, bias::required);
  layer.attention.query = cut(fused, 0, rows);
  layer.attention.key = cut(fused, rows, rows);
  layer.attention.value = cut(fused, 2 * rows, rows);
  layer.attention.output =
      tensors.conv1d(named("attn_output", "attn.c_proj"), sizes.width, rows, bias::required);
  layer.feed_forward_norm = tensors.norm(named("ffn_norm", "ln_2"), sizes.width, bias::required);
  layer.feed_forward.up =
      tensors.conv1d(named("ffn_up", "mlp.c_fc"), sizes.feed_forward, sizes.width, bias::required);
  layer.feed_forward.down =
      tensors.conv1d(named("ffn_down", "mlp.c_proj"), sizes.width, sizes.feed_forward, bias::required);
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

model_description describe_gpt2(const model_source& source) {
  const hyperparameters parameters(source, "gpt2");
  tensor_lookup tensors(source);
  const std::string base = tensors.prefix_if_used("transformer.");
  if (parameters.is_hugging_face()) {
    parameters.require_text({"", "activation_function"}, {"gelu_new", "gelu_pytorch_tanh"});
    tensors.ignore_endings({".attn.bias", ".attn.masked_bias"}); // The causal mask.
  }
  const decoder_sizes sizes = read_sizes(source, parameters, gpt2_keys);
  if (sizes.kv_heads != sizes.heads) {
    parameters.fail(gpt2_keys.kv_heads, "wanted as many as query heads: gpt2 does not share keys and values");
  }
  const norm_spec norm{
      norm_kind::layer,
      parameters.number({"attention.layer_norm_epsilon", "layer_norm_epsilon"}, epsilon_bounds)};

  model_description model;
  model.tensors.embedding = read_embedding(parameters, tensors, base + "wte.weight", sizes.width);
  model.tensors.positions =
      tensors.matrix({"position_embd.weight", base + "wpe.weight"}, sizes.context_length, sizes.width);
  model.spec = start_spec(source, "gpt2", sizes, model.tensors.embedding);
  model.spec.embedding.positions = position_kind::learned;
  model.spec.final_norm = norm;
  model.tensors.layers.reserve(sizes.layers);
  model.spec.layers.reserve(sizes.layers);
  for (uint32_t i = 0; i < sizes.layers; ++i) {
    const std::string number = std::to_string(i) + ".";
    model.tensors.layers.push_back(read_layer(tensors, {"blk." + number, base + "h." + number}, sizes));
    model.spec.layers.push_back(describe_layer(sizes, norm));
  }
  model.tensors.final_norm = tensors.norm({"output_norm", base + "ln_f"}, sizes.width, bias::required);
  model.tensors.output = read_output(parameters, tensors, model.tensors.embedding, true);
  tensors.finish(model);
  return model;
}

} // namespace troupe
