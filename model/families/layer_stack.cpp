#include "model/families/layer_stack.hpp"
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace troupe {
namespace {

published_name in_folder(std::string name) { return {"", std::move(name)}; }

attention_spec attention_of(uint32_t heads, uint32_t width, bool causal) {
  attention_spec spec;
  spec.heads = spec.kv_heads = heads;
  spec.head_dim = width / heads;
  spec.causal = causal;
  spec.scale = 1.0f / std::sqrt(float(spec.head_dim));
  return spec;
}

attention_tensors read_attention(tensor_lookup& tensors, const std::string& layer, const attention_names& names, uint32_t width,
                                 bool keys_have_bias) {
  using has_bias = tensor_lookup::bias;
  const auto projection = [&](const char* name, has_bias with = has_bias::required) {
    return tensors.projection(in_folder(layer + name), width, width, with);
  };
  attention_tensors attention;
  attention.query = projection(names.query);
  attention.key = projection(names.key, keys_have_bias ? has_bias::required : has_bias::none);
  attention.value = projection(names.value);
  attention.output = projection(names.output);
  return attention;
}

} // namespace

activation_kind read_activation(const hyperparameters& parameters, const published_name& key) {
  using named = std::pair<std::string_view, activation_kind>;
  constexpr std::array known{named{"gelu", activation_kind::gelu_erf},      named{"gelu_new", activation_kind::gelu_tanh},
                             named{"gelu_fast", activation_kind::gelu_tanh}, named{"gelu_pytorch_tanh", activation_kind::gelu_tanh},
                             named{"relu", activation_kind::relu},          named{"silu", activation_kind::silu},
                             named{"swish", activation_kind::silu},         named{"tanh", activation_kind::tanh}};
  parameters.require_text(key, {"gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"});
  return std::ranges::find(known, *parameters.text(key), &named::first)->second;
}

void read_layers(const hyperparameters& parameters, tensor_lookup& tensors, const std::string& prefix, const layer_keys& keys,
                 const layer_names& names, uint32_t width, float epsilon, stack_spec& spec, stack_tensors& stack) {
  using bias = tensor_lookup::bias;
  const uint32_t layers = parameters.count(in_folder(keys.layers), {1, 2048});
  const uint32_t heads = parameters.count(in_folder(keys.heads), {1, 1024});
  if (width % heads != 0) {
    parameters.fail(in_folder(keys.heads), "a width of " + std::to_string(width) + " does not divide among " + std::to_string(heads) +
                                               " heads");
  }
  const bool is_decoder = names.cross_attention.has_value();
  layer_spec layer;
  layer.attention = attention_of(heads, width, is_decoder);
  if (is_decoder) layer.cross_attention = attention_of(heads, width, false);
  layer.feed_forward = {false, read_activation(parameters, in_folder(keys.activation)),
                        parameters.count(in_folder(keys.feed_forward), {1, 1 << 20})};
  layer.norm = {norm_kind::layer, epsilon};
  layer.norms = names.norms;
  for (uint32_t i = 0; i < layers; ++i) {
    const std::string at = prefix + std::to_string(i) + ".";
    layer_tensors of;
    of.attention = read_attention(tensors, at, names.attention, width, names.keys_have_bias);
    of.attention_norm = tensors.norm(in_folder(at + names.attention.norm), width, bias::required);
    if (is_decoder) {
      of.cross_attention = read_attention(tensors, at, *names.cross_attention, width, names.keys_have_bias);
      of.cross_attention_norm = tensors.norm(in_folder(at + names.cross_attention->norm), width, bias::required);
    }
    of.feed_forward.up = tensors.projection(in_folder(at + names.up), layer.feed_forward.width, width, bias::required);
    of.feed_forward.down = tensors.projection(in_folder(at + names.down), width, layer.feed_forward.width, bias::required);
    of.feed_forward_norm = tensors.norm(in_folder(at + names.feed_forward_norm), width, bias::required);
    stack.layers.push_back(std::move(of));
    spec.layers.push_back(layer);
  }
}

} // namespace troupe
