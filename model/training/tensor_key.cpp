#include "model/training/tensor_key.hpp"
#include <algorithm>

namespace troupe {
namespace {

const char* name_of(tensor_role role) {
  switch (role) {
  case tensor_role::token_embedding: return "token embedding";
  case tensor_role::position_embedding: return "position embedding";
  case tensor_role::attention_norm: return "attention norm";
  case tensor_role::query: return "query";
  case tensor_role::key: return "key";
  case tensor_role::value: return "value";
  case tensor_role::query_norm: return "query norm";
  case tensor_role::key_norm: return "key norm";
  case tensor_role::attention_output: return "attention output";
  case tensor_role::feed_forward_norm: return "feed-forward norm";
  case tensor_role::gate: return "gate";
  case tensor_role::up: return "up";
  case tensor_role::down: return "down";
  case tensor_role::final_norm: return "final norm";
  case tensor_role::output: return "output";
  }
  return "";
}

bool has_layer(tensor_role role) { return role >= tensor_role::attention_norm && role <= tensor_role::down; }

} // namespace

std::string to_string(const tensor_key& key) {
  std::string text = has_layer(key.role) ? "layer " + std::to_string(key.layer) + " " : "";
  return text + name_of(key.role) + (key.is_bias ? " bias" : "");
}

bool is_tied(const model_tensors& tensors) {
  const stored_tensor &output = tensors.output.weight, &embedding = tensors.embedding;
  return output.is_same_place(embedding) && output.name == embedding.name; // Those without content are all at the same place.
}

std::vector<keyed_tensor> keyed_tensors(const model_tensors& tensors) {
  std::vector<keyed_tensor> all;
  const auto push = [&](uint32_t layer, tensor_role role, const stored_tensor& weight, const std::optional<stored_tensor>& bias) {
    all.push_back({{layer, role, false}, &weight});
    if (bias) all.push_back({{layer, role, true}, &*bias});
  };
  const auto push_one = [&](uint32_t layer, tensor_role role, const auto& one) { push(layer, role, one.weight, one.bias); };
  push(0, tensor_role::token_embedding, tensors.embedding, {});
  if (tensors.positions) push(0, tensor_role::position_embedding, *tensors.positions, {});
  for (uint32_t l = 0; l < tensors.layers.size(); ++l) {
    const layer_tensors& layer = tensors.layers[l];
    push_one(l, tensor_role::attention_norm, layer.attention_norm);
    push_one(l, tensor_role::query, layer.attention.query);
    push_one(l, tensor_role::key, layer.attention.key);
    push_one(l, tensor_role::value, layer.attention.value);
    if (layer.attention.query_norm) push_one(l, tensor_role::query_norm, *layer.attention.query_norm);
    if (layer.attention.key_norm) push_one(l, tensor_role::key_norm, *layer.attention.key_norm);
    push_one(l, tensor_role::attention_output, layer.attention.output);
    push_one(l, tensor_role::feed_forward_norm, layer.feed_forward_norm);
    if (layer.feed_forward.gate) push_one(l, tensor_role::gate, *layer.feed_forward.gate);
    push_one(l, tensor_role::up, layer.feed_forward.up);
    push_one(l, tensor_role::down, layer.feed_forward.down);
  }
  if (tensors.final_norm) push_one(0, tensor_role::final_norm, *tensors.final_norm);
  if (!is_tied(tensors)) push_one(0, tensor_role::output, tensors.output);
  std::ranges::sort(all, {}, &keyed_tensor::key);
  return all;
}

} // namespace troupe
