#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/parts/sinusoids.hpp"
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
void push(std::vector<parameter*>& all, std::optional<trainable_norm>& one) {
  if (one) push(all, *one);
}
void push(std::vector<parameter*>& all, const std::vector<parameter*>& more) { all.insert(all.end(), more.begin(), more.end()); }
void push(std::vector<parameter*>& all, trainable_stack& stack) {
  push(all, stack.embedding.parameters());
  for (auto& layer : stack.layers) push(all, layer.parameters());
  for (auto* heads : {&stack.heads, &stack.cross_heads})
    for (auto& of_layer : *heads)
      for (auto& head : of_layer) push(all, head.parameters());
  for (auto& of_layer : stack.shards)
    for (auto& shard : of_layer) push(all, shard.parameters());
}

void prepare(trainable_stack& stack) {
  stack.embedding.prepare();
  for (auto* heads : {&stack.heads, &stack.cross_heads})
    for (auto& of_layer : *heads)
      for (auto& head : of_layer) head.prepare();
  for (auto& of_layer : stack.shards)
    for (auto& shard : of_layer) shard.prepare();
}

void require_trainable(const model_spec& spec) {
  const auto fail = [&](const std::string& why) {
    throw input_error((spec.name.empty() ? spec.architecture : spec.name) + ": training does not support " + why);
  };
  if (spec.output.kind == output_spec::result::hidden_states) fail("a model that ends in hidden states: there is nothing to learn");
  if (spec.input().audio) fail("models that listen");
  if (spec.output.kind == output_spec::result::spans) fail("models that answer by spans of a text");
  for (const stack_spec* stack : {static_cast<const stack_spec*>(&spec), spec.encoder ? &*spec.encoder : nullptr})
    if (stack != nullptr)
      for (const layer_spec& layer : stack->layers) {
        if (layer.attention.relative_positions) fail("relative positions");
        if (layer.cross_attention && (layer.cross_attention->query_key_norm || layer.cross_attention->relative_positions ||
                                      layer.cross_attention->rope.kind != rope_kind::none))
          fail("norms and positions of queries and keys in cross-attention");
      }
}

} // namespace

std::vector<parameter*> trainable_head::parameters() {
  std::vector<parameter*> all;
  for (auto* one : {&query, &key, &value}) push(all, *one);
  return all;
}

std::vector<parameter*> trainable_shard::parameters() {
  std::vector<parameter*> all;
  for (auto* one : {&output, &cross_output, &gate, &up, &down}) push(all, *one);
  return all;
}

std::vector<parameter*> trainable_layer::parameters() {
  std::vector<parameter*> all;
  push(all, attention_norm);
  push(all, cross_attention_norm);
  push(all, feed_forward_norm);
  push(all, parameters_of(query_norm, key_norm));
  return all;
}

std::vector<parameter*> parameters_of(std::optional<trainable_norm>& query_norm, std::optional<trainable_norm>& key_norm) {
  std::vector<parameter*> all;
  for (auto* one : {&query_norm, &key_norm}) push(all, *one);
  return all;
}

std::vector<parameter*> trainable_embedding::parameters() {
  std::vector<parameter*> all;
  if (!is_tied) push(all, table);
  push(all, patches);
  push(all, positions);
  push(all, segments);
  push(all, norm);
  push(all, source_norm);
  return all;
}

std::vector<parameter*> trainable_output_shard::parameters() {
  std::vector<parameter*> all;
  push(all, output);
  push(all, transform);
  return all;
}

void trainable_output_shard::prepare() {
  output.prepare();
  transform.prepare();
}

std::vector<parameter*> trainable_output::parameters() {
  std::vector<parameter*> all;
  push(all, norm);
  push(all, transform_norm);
  return all;
}

std::vector<parameter*> trainable_model::parameters() {
  std::vector<parameter*> all;
  if (encoder) push(all, *encoder);
  push(all, static_cast<trainable_stack&>(*this));
  push(all, output.parameters());
  for (auto& shard : output_shards) push(all, shard.parameters());
  return all;
}

void trainable_model::prepare() {
  if (encoder) troupe::prepare(*encoder);
  troupe::prepare(static_cast<trainable_stack&>(*this));
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
  const auto norms_of = [&](trainable_stack& stack) {
    for (size_t l = 0; l < stack.layers.size(); ++l)
      for (trainable_head& head : stack.heads[l]) {
        norms(stack.layers[l].query_norm, head.query_norm);
        norms(stack.layers[l].key_norm, head.key_norm);
      }
  };
  const auto table = [&](parameter& copy) {
    if (!model.is_tied) return function(model.embedding.table, copy);
    for (auto& shard : model.output_shards)
      if (shard.output.weight) function(shard.output.weight, copy);
  };
  norms_of(model);
  if (model.encoder) norms_of(*model.encoder);
  if (model.is_tied) table(model.embedding.table);
  if (model.encoder && model.encoder->embedding.is_tied) table(model.encoder->embedding.table);
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
  require_trainable(spec_);
  for (const bool of_encoder : {false, true}) {
    if (of_encoder && !spec_.encoder) break;
    auto& ropes = ropes_[of_encoder];
    const stack_spec& one = stack(of_encoder);
    for (const layer_spec& layer : one.layers) {
      const rope_spec& rope = layer.attention.rope;
      const bool is_new = ropes.empty() || rope != one.layers[ropes.size() - 1].attention.rope;
      if (rope.kind == rope_kind::none) ropes.push_back(nullptr);
      else ropes.push_back(is_new ? std::make_shared<const rope_table>(rope, one.context_length) : ropes.back());
    }
  }
}

namespace {

trainable_norm make_norm(const norm_spec& what, tensor_key key, const norm_tensors& of, uint32_t width) {
  return {what, key, width, of.bias.has_value()};
}

std::optional<trainable_norm> make_norm(const std::optional<norm_spec>& what, tensor_key key, const std::optional<norm_tensors>& of,
                                        uint32_t width) {
  if (!what) return std::nullopt;
  return make_norm(*what, key, *of, width);
}

/// A table as one piece.
parameter make_table(tensor_key key, const stored_tensor& of) {
  const range rows{0, uint32_t(of.rows)};
  return {{key, rows, uint32_t(of.columns)}, {rows}};
}

struct head_roles {
  tensor_role query, key, value;
};

/// Without norms and positions.
trainable_head make_head(const attention_spec& spec, const attention_tensors& of, layer_id layer, head_roles roles, uint32_t index,
                         uint32_t width) {
  trainable_head part;
  part.spec = spec;
  part.index = index;
  const auto projection = [&](tensor_role role, uint32_t rows, const projection_tensors& source) {
    return trainable_projection({layer.index, role, false, layer.of_encoder}, range{index * rows, rows}, width, source.bias.has_value());
  };
  part.query = projection(roles.query, spec.group() * spec.head_dim, of.query);
  part.key = projection(roles.key, spec.head_dim, of.key);
  part.value = projection(roles.value, spec.head_dim, of.value);
  return part;
}

} // namespace

trainable_embedding trainable_builder::embedding(bool of_encoder) const {
  const stack_spec& one = stack(of_encoder);
  const stack_tensors& of = of_encoder ? *tensors_.encoder : tensors_;
  trainable_embedding part;
  part.spec = one.embedding;
  part.is_tied = of_encoder ? shares_embedding() : is_tied();
  part.table = make_table({0, tensor_role::token_embedding, false, of_encoder && !part.is_tied}, of.embedding);
  if (of.patches)
    part.patches = trainable_projection({0, tensor_role::patches, false, of_encoder}, range{0, spec_.width},
                                        one.embedding.image->patch_elements(), of.patches->bias.has_value());
  if (of.positions) part.positions = make_table({0, tensor_role::position_embedding, false, of_encoder}, *of.positions);
  if (of.segments) part.segments = make_table({0, tensor_role::segment_embedding, false, of_encoder}, *of.segments);
  part.sinusoids = make_sinusoids(one.embedding.positions, one.context_length, spec_.width);
  part.norm = make_norm(one.embedding.norm, {0, tensor_role::embedding_norm, false, of_encoder}, of.embedding_norm, spec_.width);
  if (!of_encoder && spec_.encoder)
    part.source_norm = make_norm(spec_.encoder->final_norm, {0, tensor_role::final_norm, false, true}, tensors_.encoder->final_norm,
                                 spec_.width);
  return part;
}

trainable_layer trainable_builder::layer(layer_id layer) const {
  const layer_spec& one = stack(layer.of_encoder).layers[layer.index];
  const layer_tensors& of = (layer.of_encoder ? *tensors_.encoder : tensors_).layers[layer.index];
  const auto key = [&](tensor_role role) { return tensor_key{layer.index, role, false, layer.of_encoder}; };
  trainable_layer part;
  part.norms = one.norms;
  part.attention_norm = make_norm(one.norm, key(tensor_role::attention_norm), of.attention_norm, spec_.width);
  if (one.cross_attention)
    part.cross_attention_norm = make_norm(one.norm, key(tensor_role::cross_attention_norm), *of.cross_attention_norm, spec_.width);
  part.feed_forward_norm = make_norm(one.norm, key(tensor_role::feed_forward_norm), of.feed_forward_norm, spec_.width);
  const auto& what = one.attention.query_key_norm;
  part.query_norm = make_norm(what, key(tensor_role::query_norm), of.attention.query_norm, one.attention.head_dim);
  part.key_norm = make_norm(what, key(tensor_role::key_norm), of.attention.key_norm, one.attention.head_dim);
  return part;
}

trainable_head trainable_builder::head(layer_id layer, uint32_t index) const {
  const attention_tensors& of = (layer.of_encoder ? *tensors_.encoder : tensors_).layers[layer.index].attention;
  trainable_head part = make_head(stack(layer.of_encoder).layers[layer.index].attention, of, layer,
                                  {tensor_role::query, tensor_role::key, tensor_role::value}, index, spec_.width);
  part.rope = ropes_[layer.of_encoder][layer.index];
  trainable_layer norms = this->layer(layer);
  part.query_norm = std::move(norms.query_norm);
  part.key_norm = std::move(norms.key_norm);
  return part;
}

trainable_head trainable_builder::cross_head(uint32_t layer, uint32_t index) const {
  trainable_head part = make_head(*spec_.layers[layer].cross_attention, *tensors_.layers[layer].cross_attention, layer,
                                  {tensor_role::cross_query, tensor_role::cross_key, tensor_role::cross_value}, index, spec_.width);
  part.is_cross = true;
  return part;
}

trainable_shard trainable_builder::shard(layer_id layer, uint32_t index) const {
  const layer_spec& one = stack(layer.of_encoder).layers[layer.index];
  const layer_tensors& of = (layer.of_encoder ? *tensors_.encoder : tensors_).layers[layer.index];
  const auto attended = [](const attention_spec& spec) { return spec.heads * spec.head_dim; };
  const uint32_t inner = one.feed_forward.width;
  trainable_shard part;
  part.feed_forward = one.feed_forward;
  const auto projection = [&](tensor_role role, uint32_t rows, uint32_t inputs, const projection_tensors& source) {
    return trainable_projection({layer.index, role, false, layer.of_encoder}, sum_tree(rows, leaf_rows_min_), {shards_, index}, inputs,
                                source.bias.has_value());
  };
  part.output = projection(tensor_role::attention_output, spec_.width, attended(one.attention), of.attention.output);
  if (one.cross_attention)
    part.cross_output = projection(tensor_role::cross_attention_output, spec_.width, attended(*one.cross_attention),
                                   of.cross_attention->output);
  if (one.feed_forward.gated) part.gate = projection(tensor_role::gate, inner, spec_.width, *of.feed_forward.gate);
  part.up = projection(tensor_role::up, inner, spec_.width, of.feed_forward.up);
  part.down = projection(tensor_role::down, spec_.width, inner, of.feed_forward.down);
  return part;
}

trainable_output trainable_builder::output() const {
  trainable_output part;
  part.spec = spec_.output;
  part.columns = columns();
  part.norm = make_norm(spec_.final_norm, {0, tensor_role::final_norm}, tensors_.final_norm, spec_.width);
  if (spec_.output.transform)
    part.transform_norm = make_norm(spec_.output.transform->norm, {0, tensor_role::output_transform_norm}, tensors_.output_transform_norm,
                                    spec_.width);
  return part;
}

trainable_output_shard trainable_builder::output_shard(uint32_t index) const {
  trainable_output_shard part;
  part.columns = columns();
  part.output = trainable_projection({0, is_tied() ? tensor_role::token_embedding : tensor_role::output},
                                     sum_tree(part.columns, leaf_rows_min_), {shards_, index}, spec_.width,
                                     tensors_.output.bias.has_value());
  part.output.bias.slice.key = {0, tensor_role::output, true}; // Its own, where the matrix is the embedding.
  if (part.output.weight) part.leaves = part.output.weight.pieces;
  if (const auto& transform = tensors_.output_transform)
    part.transform = trainable_projection({0, tensor_role::output_transform}, sum_tree(spec_.width, leaf_rows_min_), {shards_, index},
                                          spec_.width, transform->bias.has_value());
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

trainable_stack trainable_builder::stack_parts(bool of_encoder) const {
  trainable_stack parts;
  parts.embedding = embedding(of_encoder);
  const auto& specs = stack(of_encoder).layers;
  for (uint32_t l = 0; l < specs.size(); ++l) {
    const layer_id id{l, of_encoder};
    parts.layers.push_back(layer(id));
    auto &heads = parts.heads.emplace_back(), &cross_heads = parts.cross_heads.emplace_back();
    for (uint32_t h = 0; h < specs[l].attention.kv_heads; ++h) heads.push_back(head(id, h));
    if (const auto& cross = specs[l].cross_attention)
      for (uint32_t h = 0; h < cross->kv_heads; ++h) cross_heads.push_back(cross_head(l, h));
    auto& of_layer = parts.shards.emplace_back();
    for (uint32_t s = 0; s < shards_; ++s) of_layer.push_back(shard(id, s));
  }
  return parts;
}

trainable_model trainable_builder::all() const {
  trainable_model model;
  static_cast<trainable_stack&>(model) = stack_parts(false);
  model.spec = spec_;
  model.is_tied = is_tied();
  if (spec_.encoder) model.encoder = stack_parts(true);
  model.output = output();
  for (uint32_t s = 0; s < shards_; ++s) model.output_shards.push_back(output_shard(s));
  fill(model.parameters());
  model.refresh_copies();
  model.prepare();
  return model;
}

} // namespace troupe
