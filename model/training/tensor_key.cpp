#include "model/training/tensor_key.hpp"
#include <algorithm>

namespace troupe {
namespace {

const char* name_of(tensor_role role) {
  switch (role) {
  case tensor_role::token_embedding: return "token embedding";
  case tensor_role::position_embedding: return "position embedding";
  case tensor_role::segment_embedding: return "segment embedding";
  case tensor_role::embedding_norm: return "embedding norm";
  case tensor_role::relative_positions: return "relative positions";
  case tensor_role::attention_norm: return "attention norm";
  case tensor_role::query: return "query";
  case tensor_role::key: return "key";
  case tensor_role::value: return "value";
  case tensor_role::query_norm: return "query norm";
  case tensor_role::key_norm: return "key norm";
  case tensor_role::attention_output: return "attention output";
  case tensor_role::cross_attention_norm: return "cross-attention norm";
  case tensor_role::cross_query: return "cross-attention query";
  case tensor_role::cross_key: return "cross-attention key";
  case tensor_role::cross_value: return "cross-attention value";
  case tensor_role::cross_attention_output: return "cross-attention output";
  case tensor_role::feed_forward_norm: return "feed-forward norm";
  case tensor_role::gate: return "gate";
  case tensor_role::up: return "up";
  case tensor_role::down: return "down";
  case tensor_role::final_norm: return "final norm";
  case tensor_role::output_transform: return "output transform";
  case tensor_role::output_transform_norm: return "output transform norm";
  case tensor_role::output: return "output";
  case tensor_role::patches: return "patches";
  case tensor_role::first_convolution: return "first convolution";
  case tensor_role::second_convolution: return "second convolution";
  }
  return "";
}

bool has_layer(tensor_role role) {
  return (role >= tensor_role::attention_norm && role <= tensor_role::down) ||
         (role >= tensor_role::cross_attention_norm && role <= tensor_role::cross_attention_output);
}

bool is_same(const stored_tensor& a, const stored_tensor& b) {
  return a.is_same_place(b) && a.name == b.name; // Those without content are all at the same place.
}

/// Collects the tensors of a model, under their keys.
struct key_list {
  std::vector<keyed_tensor> all;
  bool of_encoder = false;

  void push(uint32_t layer, tensor_role role, const stored_tensor& weight, const std::optional<stored_tensor>& bias = {}) {
    all.push_back({{layer, role, false, of_encoder}, &weight});
    if (bias) all.push_back({{layer, role, true, of_encoder}, &*bias});
  }
  template <class Tensors> void push(uint32_t layer, tensor_role role, const Tensors& one) { push(layer, role, one.weight, one.bias); }
  template <class Tensors> void push(uint32_t layer, tensor_role role, const std::optional<Tensors>& one) {
    if (one) push(layer, role, *one);
  }

  void push_layer(uint32_t l, const layer_tensors& layer) {
    push(l, tensor_role::attention_norm, layer.attention_norm);
    push(l, tensor_role::query, layer.attention.query);
    push(l, tensor_role::key, layer.attention.key);
    push(l, tensor_role::value, layer.attention.value);
    push(l, tensor_role::query_norm, layer.attention.query_norm);
    push(l, tensor_role::key_norm, layer.attention.key_norm);
    push(l, tensor_role::attention_output, layer.attention.output);
    push(l, tensor_role::cross_attention_norm, layer.cross_attention_norm);
    if (const auto& cross = layer.cross_attention) {
      push(l, tensor_role::cross_query, cross->query);
      push(l, tensor_role::cross_key, cross->key);
      push(l, tensor_role::cross_value, cross->value);
      push(l, tensor_role::cross_attention_output, cross->output);
    }
    push(l, tensor_role::feed_forward_norm, layer.feed_forward_norm);
    push(l, tensor_role::gate, layer.feed_forward.gate);
    push(l, tensor_role::up, layer.feed_forward.up);
    push(l, tensor_role::down, layer.feed_forward.down);
  }

  void push_stack(const stack_tensors& stack, bool has_own_embedding) {
    if (has_own_embedding) push(0, tensor_role::token_embedding, stack.embedding);
    push(0, tensor_role::patches, stack.patches);
    if (!stack.convolutions.empty()) {
      push(0, tensor_role::first_convolution, stack.convolutions.at(0));
      push(0, tensor_role::second_convolution, stack.convolutions.at(1));
    }
    if (stack.positions) push(0, tensor_role::position_embedding, *stack.positions, {});
    if (stack.segments) push(0, tensor_role::segment_embedding, *stack.segments, {});
    push(0, tensor_role::embedding_norm, stack.embedding_norm);
    if (!stack.layers.empty() && stack.layers.front().attention.relative_positions)
      push(0, tensor_role::relative_positions, *stack.layers.front().attention.relative_positions, {});
    for (uint32_t l = 0; l < stack.layers.size(); ++l) push_layer(l, stack.layers[l]);
    push(0, tensor_role::final_norm, stack.final_norm);
  }
};

} // namespace

std::string to_string(const tensor_key& key) {
  std::string text = key.of_encoder ? "encoder " : "";
  if (has_layer(key.role)) text += "layer " + std::to_string(key.layer) + " ";
  return text + name_of(key.role) + (key.is_bias ? " bias" : "");
}

bool is_norm(tensor_role role) {
  switch (role) {
  case tensor_role::embedding_norm:
  case tensor_role::attention_norm:
  case tensor_role::query_norm:
  case tensor_role::key_norm:
  case tensor_role::cross_attention_norm:
  case tensor_role::feed_forward_norm:
  case tensor_role::final_norm:
  case tensor_role::output_transform_norm: return true;
  default: return false;
  }
}

bool is_tied(const model_tensors& tensors) { return is_same(tensors.output.weight, tensors.embedding); }

bool shares_embedding(const model_tensors& tensors) {
  return tensors.encoder && is_same(tensors.encoder->embedding, tensors.embedding);
}

std::vector<keyed_tensor> keyed_tensors(const model_tensors& tensors) {
  key_list keys;
  keys.push_stack(tensors, true);
  if (tensors.encoder) {
    keys.of_encoder = true;
    keys.push_stack(*tensors.encoder, tensors.encoder->convolutions.empty() && !shares_embedding(tensors));
    keys.of_encoder = false;
  }
  keys.push(0, tensor_role::output_transform, tensors.output_transform);
  keys.push(0, tensor_role::output_transform_norm, tensors.output_transform_norm);
  if (!is_tied(tensors) && tensors.output.weight.rows > 0) keys.push(0, tensor_role::output, tensors.output);
  else if (tensors.output.bias) keys.all.push_back({{0, tensor_role::output, true}, &*tensors.output.bias});
  std::ranges::sort(keys.all, {}, &keyed_tensor::key);
  return std::move(keys.all);
}

} // namespace troupe
