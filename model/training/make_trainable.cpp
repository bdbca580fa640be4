#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {
namespace {

void push(std::vector<parameter*>& all, parameter& one) {
  if (one) all.push_back(&one);
}
void push(std::vector<parameter*>& all, trainable_projection& one) {
  push(all, one.weight);
  push(all, one.bias);
}
void push(std::vector<parameter*>& all, trainable_norm& one) {
  push(all, one.weight);
  push(all, one.bias);
}
void push(std::vector<parameter*>& all, const std::vector<parameter*>& more) { all.insert(all.end(), more.begin(), more.end()); }

/// Builds parts with the shapes of a spec.
struct builder {
  const model_spec& spec;
  const model_tensors& tensors;
  uint32_t shards, leaf_rows_min;

  sum_tree tree(uint32_t rows) const { return {rows, leaf_rows_min}; }
  training_cut cut(uint32_t shard) const { return {shards, shard, leaf_rows_min}; }

  trainable_head head(uint32_t layer, uint32_t index, const std::shared_ptr<const rope_table>& rope) const {
    const attention_spec& attention = spec.layers[layer].attention;
    const attention_tensors& of = tensors.layers[layer].attention;
    const uint32_t head_dim = attention.head_dim, queries = attention.group() * head_dim;
    trainable_head head;
    head.spec = attention;
    head.index = index;
    head.rope = rope;
    const auto projection = [&](tensor_role role, uint32_t rows, const projection_tensors& source) {
      return trainable_projection({layer, role}, {index * rows, rows}, spec.width, source.bias.has_value());
    };
    head.query = projection(tensor_role::query, queries, of.query);
    head.key = projection(tensor_role::key, head_dim, of.key);
    head.value = projection(tensor_role::value, head_dim, of.value);
    return head;
  }

  trainable_shard shard(uint32_t layer, uint32_t index) const {
    const layer_spec& one = spec.layers[layer];
    const layer_tensors& of = tensors.layers[layer];
    const uint32_t attended = one.attention.heads * one.attention.head_dim, inner = one.feed_forward.width;
    trainable_shard shard;
    shard.feed_forward = one.feed_forward;
    const auto projection = [&](tensor_role role, uint32_t rows, uint32_t inputs, const projection_tensors& source) {
      return trainable_projection({layer, role}, tree(rows), cut(index), inputs, source.bias.has_value());
    };
    shard.output = projection(tensor_role::attention_output, spec.width, attended, of.attention.output);
    if (one.feed_forward.gated) shard.gate = projection(tensor_role::gate, inner, spec.width, *of.feed_forward.gate);
    shard.up = projection(tensor_role::up, inner, spec.width, of.feed_forward.up);
    shard.down = projection(tensor_role::down, spec.width, inner, of.feed_forward.down);
    return shard;
  }

  trainable_norm norm(uint32_t layer, tensor_role role, const norm_spec& what, const norm_tensors& of, uint32_t width) const {
    return {what, {layer, role}, width, of.bias.has_value()};
  }
};

} // namespace

std::vector<parameter*> trainable_head::parameters() {
  std::vector<parameter*> all;
  for (auto* one : {&query, &key, &value}) push(all, *one);
  return all;
}

std::vector<parameter*> trainable_shard::parameters() {
  std::vector<parameter*> all;
  for (auto* one : {&output, &gate, &up, &down}) push(all, *one);
  return all;
}

std::vector<parameter*> trainable_layer::parameters() {
  std::vector<parameter*> all;
  for (auto* one : {&attention_norm, &feed_forward_norm}) push(all, *one);
  for (auto* one : {&query_norm, &key_norm})
    if (*one) push(all, **one);
  return all;
}

std::vector<parameter*> trainable_embedding::parameters() {
  std::vector<parameter*> all;
  if (!is_tied) push(all, table);
  push(all, positions);
  return all;
}

std::vector<parameter*> trainable_output_shard::parameters() {
  std::vector<parameter*> all;
  push(all, output);
  return all;
}

void trainable_output_shard::prepare() { output.prepare(); }

std::vector<parameter*> trainable_output::parameters() {
  std::vector<parameter*> all;
  push(all, norm);
  return all;
}

std::vector<parameter*> trainable_model::parameters() {
  std::vector<parameter*> all = embedding.parameters();
  for (auto& layer : layers) push(all, layer.parameters());
  for (auto& of_layer : heads)
    for (auto& head : of_layer) push(all, head.parameters());
  for (auto& of_layer : shards)
    for (auto& shard : of_layer) push(all, shard.parameters());
  push(all, output.parameters());
  for (auto& shard : output_shards) push(all, shard.parameters());
  return all;
}

void trainable_model::prepare() {
  for (auto& of_layer : heads)
    for (auto& head : of_layer) head.prepare();
  for (auto& of_layer : shards)
    for (auto& shard : of_layer) shard.prepare();
  for (auto& shard : output_shards) shard.prepare();
}

namespace {

void move_gradients(parameter& from, parameter& to) {
  const uint64_t first = uint64_t(to.slice.rows.first - from.slice.rows.first) * to.slice.columns;
  const auto part = std::span(from.gradient).subspan(first, to.gradient.size());
  add(to.gradient, part);
  std::ranges::fill(part, 0.0f);
}

void copy_values(const parameter& from, parameter& to) {
  const uint64_t first = uint64_t(from.slice.rows.first - to.slice.rows.first) * to.slice.columns;
  std::ranges::copy(from.value, to.value.begin() + ptrdiff_t(first));
}

/// Calls function(owner, copy) for all copies, in order.
template <class Function> void each_copy(trainable_model& model, Function function) {
  const auto norms = [&](std::optional<trainable_norm>& owner, std::optional<trainable_norm>& copy) {
    if (!owner) return;
    function(owner->weight, copy->weight);
    if (owner->bias) function(owner->bias, copy->bias);
  };
  for (size_t l = 0; l < model.layers.size(); ++l)
    for (trainable_head& head : model.heads[l]) {
      norms(model.layers[l].query_norm, head.query_norm);
      norms(model.layers[l].key_norm, head.key_norm);
    }
  if (model.is_tied)
    for (auto& shard : model.output_shards)
      if (shard.output.weight) function(shard.output.weight, model.embedding.table);
}

} // namespace

void trainable_model::collect_copies() {
  each_copy(*this, [](parameter& owner, parameter& copy) { move_gradients(copy, owner); });
}

void trainable_model::refresh_copies() {
  each_copy(*this, [](parameter& owner, parameter& copy) { copy_values(owner, copy); });
}

namespace {

void fill(trainable_model& model, const model_tensors& tensors) {
  const auto all = keyed_tensors(tensors);
  for (parameter* one : model.parameters()) {
    const auto found = std::ranges::lower_bound(all, one->slice.key, {}, &keyed_tensor::key);
    TROUPE_ASSERT(found != all.end() && found->key == one->slice.key);
    // Only the rows that are wanted: of a vector, which the tensor has as one row, all of it.
    const tensor_view& view = *found->view;
    const bool is_vector = one->slice.columns == 1 && view.rows == 1;
    if (view.bytes.empty()) continue;
    const auto values = dequantize(is_vector ? view : view.row_slice(one->slice.rows.first, one->slice.rows.count));
    const uint64_t first = is_vector ? one->slice.rows.first : 0;
    TROUPE_ASSERT(first + one->value.size() <= values.size());
    std::copy_n(values.begin() + ptrdiff_t(first), one->value.size(), one->value.begin());
  }
  model.refresh_copies();
  model.prepare();
}

} // namespace

trainable_model make_trainable(const model_spec& spec, const model_tensors& tensors, uint32_t shards, uint32_t leaf_rows_min) {
  TROUPE_ASSERT(shards > 0);
  const builder make{spec, tensors, shards, leaf_rows_min};
  trainable_model model;
  model.spec = spec;
  model.is_tied = is_tied(tensors);
  model.embedding.is_tied = model.is_tied;
  const sum_tree vocabulary = make.tree(spec.vocabulary);
  const tensor_key table{0, tensor_role::token_embedding};
  model.embedding.table = parameter({table, {0, spec.vocabulary}, spec.width}, {{0, spec.vocabulary}});
  if (tensors.positions)
    model.embedding.positions = parameter({{0, tensor_role::position_embedding}, {0, uint32_t(tensors.positions->rows)}, spec.width},
                                          {{0, uint32_t(tensors.positions->rows)}});
  std::shared_ptr<const rope_table> rope;
  for (uint32_t l = 0; l < spec.layers.size(); ++l) {
    const layer_spec& one = spec.layers[l];
    const layer_tensors& of = tensors.layers[l];
    if (one.attention.rope.kind != rope_kind::none && (l == 0 || one.attention.rope != spec.layers[l - 1].attention.rope))
      rope = std::make_shared<const rope_table>(one.attention.rope, spec.context_length);
    trainable_layer& layer = model.layers.emplace_back();
    layer.attention_norm = make.norm(l, tensor_role::attention_norm, one.norm, of.attention_norm, spec.width);
    layer.feed_forward_norm = make.norm(l, tensor_role::feed_forward_norm, one.norm, of.feed_forward_norm, spec.width);
    if (const auto& norm = one.attention.query_key_norm) {
      layer.query_norm = make.norm(l, tensor_role::query_norm, *norm, *of.attention.query_norm, one.attention.head_dim);
      layer.key_norm = make.norm(l, tensor_role::key_norm, *norm, *of.attention.key_norm, one.attention.head_dim);
    }
    auto& heads = model.heads.emplace_back();
    for (uint32_t h = 0; h < one.attention.kv_heads; ++h) {
      heads.push_back(make.head(l, h, one.attention.rope.kind == rope_kind::none ? nullptr : rope));
      heads.back().query_norm = layer.query_norm;
      heads.back().key_norm = layer.key_norm;
    }
    auto& of_layer = model.shards.emplace_back();
    for (uint32_t s = 0; s < shards; ++s) of_layer.push_back(make.shard(l, s));
  }
  model.output.norm = make.norm(0, tensor_role::final_norm, spec.final_norm, tensors.final_norm, spec.width);
  model.output.vocabulary = spec.vocabulary;
  for (uint32_t s = 0; s < shards; ++s) {
    trainable_output_shard& shard = model.output_shards.emplace_back();
    shard.vocabulary = spec.vocabulary;
    shard.output = trainable_projection({0, model.is_tied ? tensor_role::token_embedding : tensor_role::output}, vocabulary,
                                        make.cut(s), spec.width, tensors.output.bias.has_value());
    if (shard.output.weight) shard.leaves = shard.output.weight.pieces;
  }
  fill(model, tensors);
  return model;
}

} // namespace troupe
