#include "model/families/gated_decoder.hpp"
#include "model/families/family_reader.hpp"
#include <cmath>

namespace troupe {
namespace {

using bias = tensor_lookup::bias;

/// As Hugging Face's configuration says it; GGUF files have the biases they have.
struct bias_rules {
  bias query_key_value = bias::optional, output = bias::optional, feed_forward = bias::optional;
};

const decoder_keys gated_decoder_keys{.width = {"embedding_length", "hidden_size"},
                                      .layers = {"block_count", "num_hidden_layers"},
                                      .context_length = {"context_length", "max_position_embeddings"},
                                      .feed_forward = {"feed_forward_length", "intermediate_size"},
                                      .heads = {"attention.head_count", "num_attention_heads"},
                                      .kv_heads = {"attention.head_count_kv", "num_key_value_heads"},
                                      .head_dim = {"attention.key_length", "head_dim"}};

bias_rules read_bias_rules(const hyperparameters& parameters, const gated_decoder_traits& traits) {
  bias_rules rules;
  if (parameters.is_hugging_face()) {
    const auto as_said = [&](const char* key) {
      return parameters.flag({"", key}).value_or(false) ? bias::required : bias::none;
    };
    rules = {as_said("attention_bias"), as_said("attention_bias"), as_said("mlp_bias")};
  }
  if (traits.has_qkv_biases) rules.query_key_value = bias::required;
  return rules;
}

layer_tensors read_layer(tensor_lookup& tensors, const published_name& block,
                         const gated_decoder_traits& traits, const decoder_sizes& sizes,
                         const bias_rules& biases) {
  const uint64_t query_rows = uint64_t(sizes.heads) * sizes.head_dim;
  const uint64_t key_rows = uint64_t(sizes.kv_heads) * sizes.head_dim;
  const auto named = [&](const char* gguf, const char* hugging_face) {
    return block + published_name{gguf, hugging_face};
  };

  layer_tensors layer;
  layer.attention_norm = tensors.norm(named("attn_norm", "input_layernorm"), sizes.width, bias::none);
  auto& attention = layer.attention;
  attention.query = tensors.projection(named("attn_q", "self_attn.q_proj"), query_rows, sizes.width,
                                       biases.query_key_value);
  attention.key =
      tensors.projection(named("attn_k", "self_attn.k_proj"), key_rows, sizes.width, biases.query_key_value);
  attention.value =
      tensors.projection(named("attn_v", "self_attn.v_proj"), key_rows, sizes.width, biases.query_key_value);
  attention.output =
      tensors.projection(named("attn_output", "self_attn.o_proj"), sizes.width, query_rows, biases.output);
  if (traits.has_query_key_norms) {
    attention.query_norm = tensors.norm(named("attn_q_norm", "self_attn.q_norm"), sizes.head_dim, bias::none);
    attention.key_norm = tensors.norm(named("attn_k_norm", "self_attn.k_norm"), sizes.head_dim, bias::none);
  }
  layer.feed_forward_norm =
      tensors.norm(named("ffn_norm", "post_attention_layernorm"), sizes.width, bias::none);
  auto& feed_forward = layer.feed_forward;
  feed_forward.gate = tensors.projection(named("ffn_gate", "mlp.gate_proj"), sizes.feed_forward, sizes.width,
                                         biases.feed_forward);
  feed_forward.up = tensors.projection(named("ffn_up", "mlp.up_proj"), sizes.feed_forward, sizes.width,
                                       biases.feed_forward);
  feed_forward.down = tensors.projection(named("ffn_down", "mlp.down_proj"), sizes.width, sizes.feed_forward,
                                         biases.feed_forward);
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

model_description describe_gated_decoder(const model_source& source, const gated_decoder_traits& traits) {
  const hyperparameters parameters(source, traits.architecture);
  tensor_lookup tensors(source);
  const std::string base = tensors.prefix_if_used("model.");
  if (parameters.is_hugging_face()) {
    parameters.require_text({"", "hidden_act"}, {"silu", "swish"});
    tensors.ignore_endings({".rotary_emb.inv_freq"});
  }
  decoder_sizes sizes = read_sizes(source, parameters, gated_decoder_keys);
  const norm_spec norm{norm_kind::rms, parameters.number({"attention.layer_norm_rms_epsilon", "rms_norm_eps"},
                                                         epsilon_bounds)};
  const rope_spec rope = read_rope(parameters, tensors, traits.rope, sizes);
  const bias_rules biases = read_bias_rules(parameters, traits);

  model_description model;
  model.gguf_rope = traits.rope;
  model.tensors.embedding = read_embedding(parameters, tensors, base + "embed_tokens.weight", sizes.width);
  model.spec = start_spec(source, traits.architecture, sizes, model.tensors.embedding);
  model.spec.final_norm = norm;
  model.tensors.layers.reserve(sizes.layers);
  model.spec.layers.reserve(sizes.layers);
  for (uint32_t i = 0; i < sizes.layers; ++i) {
    const std::string number = std::to_string(i) + ".";
    const published_name block{"blk." + number, base + "layers." + number};
    model.tensors.layers.push_back(read_layer(tensors, block, traits, sizes, biases));
    model.spec.layers.push_back(describe_layer(traits, sizes, norm, rope));
  }
  model.tensors.final_norm = tensors.norm({"output_norm", base + "norm"}, sizes.width, bias::none);
  model.tensors.output = read_output(parameters, tensors, model.tensors.embedding, false);
  tensors.finish(model);
  return model;
}

} // namespace troupe
