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
  for (parameter* one : parameters_of(query_norm, key_norm)) all.push_back(one);
  return all;
}
std::vector<parameter*> parameters_of(std::optional<trainable_norm>& query_norm, std::optional<trainable_norm>& key_norm) {
  std::vector<parameter*> all;
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

trainable_builder::trainable_builder(model_spec spec, model_tensors tensors, uint32_t shards, uint32_t leaf_rows_min)
    : spec_(std::move(spec)), tensors_(std::move(tensors)), shards_(shards), leaf_rows_min_(leaf_rows_min),
      keyed_(keyed_tensors(tensors_)) {
  TROUPE_ASSERT(shards > 0);
  for (const layer_spec& one : spec_.layers) {
    const rope_spec& rope = one.attention.rope;
    const bool is_new = ropes_.empty() || rope != spec_.layers[ropes_.size() - 1].attention.rope;
    if (rope.kind == rope_kind::none) ropes_.push_back(nullptr);
    else ropes_.push_back(is_new ? std::make_shared<const rope_table>(rope, spec_.context_length) : ropes_.back());
  }
}

trainable_norm trainable_builder::norm(uint32_t layer, tensor_role role, const norm_spec& what, const norm_tensors& of,
                                       uint32_t width) const {
  return {what, {layer, role}, width, of.bias.has_value()};
}

trainable_embedding trainable_builder::embedding() const {
  trainable_embedding part;
  part.is_tied = is_tied();
  part.table = parameter({{0, tensor_role::token_embedding}, {0, spec_.vocabulary}, spec_.width}, {{0, spec_.vocabulary}});
  if (tensors_.positions) {
    const range rows{0, uint32_t(tensors_.positions->rows)};
    part.positions = parameter({{0, tensor_role::position_embedding}, rows, spec_.width}, {rows});
  }
  return part;
}

trainable_layer trainable_builder::layer(uint32_t index) const {
  const layer_spec& one = spec_.layers[index];
  const layer_tensors& of = tensors_.layers[index];
  trainable_layer part;
  part.attention_norm = norm(index, tensor_role::attention_norm, one.norm, of.attention_norm, spec_.width);
  part.feed_forward_norm = norm(index, tensor_role::feed_forward_norm, one.norm, of.feed_forward_norm, spec_.width);
  if (const auto& what = one.attention.query_key_norm) {
    part.query_norm = norm(index, tensor_role::query_norm, *what, *of.attention.query_norm, one.attention.head_dim);
    part.key_norm = norm(index, tensor_role::key_norm, *what, *of.attention.key_norm, one.attention.head_dim);
  }
  return part;
}

trainable_head trainable_builder::head(uint32_t layer_index, uint32_t index) const {
  const attention_spec& attention = spec_.layers[layer_index].attention;
  const attention_tensors& of = tensors_.layers[layer_index].attention;
  trainable_head part;
  part.spec = attention;
  part.index = index;
  part.rope = ropes_[layer_index];
  const auto projection = [&](tensor_role role, uint32_t rows, const projection_tensors& source) {
    return trainable_projection({layer_index, role}, range{index * rows, rows}, spec_.width, source.bias.has_value());
  };
  part.query = projection(tensor_role::query, attention.group() * attention.head_dim, of.query);
  part.key = projection(tensor_role::key, attention.head_dim, of.key);
  part.value = projection(tensor_role::value, attention.head_dim, of.value);
  const trainable_layer norms = layer(layer_index);
  part.query_norm = norms.query_norm;
  part.key_norm = norms.key_norm;
  return part;
}

trainable_shard trainable_builder::shard(uint32_t layer_index, uint32_t index) const {
  const layer_spec& one = spec_.layers[layer_index];
  const layer_tensors& of = tensors_.layers[layer_index];
  const uint32_t attended = one.attention.heads * one.attention.head_dim, inner = one.feed_forward.width;
  trainable_shard part;
  part.feed_forward = one.feed_forward;
  const auto projection = [&](tensor_role role, uint32_t rows, uint32_t inputs, const projection_tensors& source) {
    return trainable_projection({layer_index, role}, sum_tree(rows, leaf_rows_min_), {shards_, index}, inputs,
                                source.bias.has_value());
  };
  part.output = projection(tensor_role::attention_output, spec_.width, attended, of.attention.output);
  if (one.feed_forward.gated) part.gate = projection(tensor_role::gate, inner, spec_.width, *of.feed_forward.gate);
  part.up = projection(tensor_role::up, inner, spec_.width, of.feed_forward.up);
  part.down = projection(tensor_role::down, spec_.width, inner, of.feed_forward.down);
  return part;
}

trainable_output trainable_builder::output() const {
  return {norm(0, tensor_role::final_norm, *spec_.final_norm, *tensors_.final_norm, spec_.width), spec_.vocabulary};
}

trainable_output_shard trainable_builder::output_shard(uint32_t index) const {
  trainable_output_shard part;
  part.vocabulary = spec_.vocabulary;
  part.output = trainable_projection({0, is_tied() ? tensor_role::token_embedding : tensor_role::output},
                                     sum_tree(spec_.vocabulary, leaf_rows_min_), {shards_, index}, spec_.width,
                                     tensors_.output.bias.has_value());
  if (part.output.weight) part.leaves = part.output.weight.pieces;
  return part;
}

void trainable_builder::fill(const std::vector<parameter*>& parameters) const {
  for (parameter* one : parameters) {
    const auto found = std::ranges::lower_bound(keyed_, one->slice.key, {}, &keyed_tensor::key);
    TROUPE_ASSERT(found != keyed_.end() && found->key == one->slice.key);
    // Only the rows that are wanted; a vector, which the tensor has as one row, as a whole.
    const stored_tensor& view = *found->view;
    if (!view.from) continue;
    const bool is_vector = one->slice.columns == 1 && view.rows == 1;
    const auto values = dequantize(is_vector ? view : view.row_slice(one->slice.rows.first, one->slice.rows.count));
    const uint64_t first = is_vector ? one->slice.rows.first : 0;
    TROUPE_ASSERT(first + one->value.size() <= values.size());
    std::copy_n(values.begin() + ptrdiff_t(first), one->value.size(), one->value.begin());
  }
}

trainable_model trainable_builder::all() const {
  trainable_model model;
  model.spec = spec_;
  model.is_tied = is_tied();
  model.embedding = embedding();
  for (uint32_t l = 0; l < spec_.layers.size(); ++l) {
    model.layers.push_back(layer(l));
    auto& heads = model.heads.emplace_back();
    for (uint32_t h = 0; h < spec_.layers[l].attention.kv_heads; ++h) heads.push_back(head(l, h));
    auto& of_layer = model.shards.emplace_back();
    for (uint32_t s = 0; s < shards_; ++s) of_layer.push_back(shard(l, s));
  }
  model.output = output();
  for (uint32_t s = 0; s < shards_; ++s) model.output_shards.push_back(output_shard(s));
  fill(model.parameters());
  model.refresh_copies();
  model.prepare();
  return model;
}

} // namespace troupe
