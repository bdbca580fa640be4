#include "model/parts/layer_hash.hpp"

#include "model/content_hash.hpp"

namespace troupe {
namespace {

void add(content_hash& to, const stored_tensor& tensor) {
  to.add(tensor.name);
  to.add(uint64_t(tensor.type));
  to.add(tensor.rows);
  to.add(tensor.columns);
  if (tensor.from) for_each_piece(tensor, 1, [&](const tensor_view& piece, uint64_t) { to.add(piece.bytes); });
}

void add(content_hash& to, const norm_tensors& norm) {
  add(to, norm.weight);
  if (norm.bias) add(to, *norm.bias);
}

void add(content_hash& to, const projection_tensors& projection) {
  add(to, projection.weight);
  if (projection.bias) add(to, *projection.bias);
}

void add(content_hash& to, const attention_tensors& attention) {
  for (const auto* one : {&attention.query, &attention.key, &attention.value, &attention.output}) add(to, *one);
  for (const auto* norm : {&attention.query_norm, &attention.key_norm})
    if (*norm) add(to, **norm);
  if (attention.relative_positions) add(to, *attention.relative_positions);
}

} // namespace

uint64_t layer_hash(const layer_tensors& layer) {
  content_hash sum;
  add(sum, layer.attention_norm);
  add(sum, layer.feed_forward_norm);
  add(sum, layer.attention);
  if (layer.cross_attention_norm) add(sum, *layer.cross_attention_norm);
  if (layer.cross_attention) add(sum, *layer.cross_attention);
  if (layer.feed_forward.gate) add(sum, *layer.feed_forward.gate);
  add(sum, layer.feed_forward.up);
  add(sum, layer.feed_forward.down);
  return sum.value();
}

std::vector<uint64_t> layer_hashes(const stack_tensors& stack) {
  std::vector<uint64_t> hashes;
  for (const auto& layer : stack.layers) hashes.push_back(layer_hash(layer));
  return hashes;
}

} // namespace troupe
