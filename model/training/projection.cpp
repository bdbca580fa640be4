#include "model/error.hpp"
#include "model/kernels/gemm.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>
#include <utility>

namespace troupe {
namespace {

/// Rows of dy at a time, so that the sums of leaves stay in the second cache until they are added.
constexpr uint32_t rows_at_once = 96;

} // namespace

trainable_projection::trainable_projection(tensor_key key, const sum_tree& tree, training_cut cut, uint32_t inputs, bool has_bias)
    : nodes_(tree.nodes_of(cut.shards, cut.shard)) {
  for (const tree_node node : nodes_)
    for (uint32_t leaf = node.first; leaf < node.first + node.leaves; ++leaf) leaves_.push_back(tree.rows_of({leaf, 1}));
  if (nodes_.empty()) return;
  first_leaf_ = nodes_.front().first;
  const range rows = tree.rows_of_shard(cut.shards, cut.shard);
  weight = parameter({key, rows, inputs}, leaves_);
  key.is_bias = true;
  if (has_bias) bias = parameter({key, rows, 1}, leaves_);
}

trainable_projection::trainable_projection(tensor_key key, range rows, uint32_t inputs, bool has_bias)
    : weight({key, rows, inputs}, {rows}) {
  key.is_bias = true;
  if (has_bias) bias = parameter({key, rows, 1}, {rows});
}

void trainable_projection::prepare() {
  if (!weight) return;
  lay_out(transposed(weight.values()), forward_panels_);
  lay_out(as_is(weight.values()), backward_panels_);
}

gemm_panels trainable_projection::forward_panels() const {
  return panels_of_buffer(forward_panels_, weight.slice.columns, rows().count);
}

gemm_panels trainable_projection::backward_panels() const {
  return panels_of_buffer(backward_panels_, rows().count, weight.slice.columns);
}

void trainable_projection::forward(const_rows x, mutable_rows y, training_scratch& scratch) const {
  if (!weight) return;
  gemm(as_is(x), forward_panels(), y, false, scratch.gemm);
  if (bias)
    for (uint32_t row = 0; row < y.rows; ++row) add(y.row(row), bias.value);
}

void trainable_projection::add_gradients(const_rows x, const_rows dy, training_scratch& scratch) {
  if (weight) add_gradients(lay_out(as_is(x), scratch.panels), dy, scratch);
}

void trainable_projection::add_gradients(const gemm_panels& x, const_rows dy, training_scratch& scratch) {
  if (!weight) return;
  gemm(transposed(dy), x, weight.gradients(), true, scratch.gemm);
  if (bias)
    for (uint32_t row = 0; row < dy.rows; ++row) add(bias.gradient, dy.row(row));
}

void trainable_projection::input_gradient(const_rows dy, mutable_rows dx, bool adds, training_scratch& scratch) const {
  gemm(as_is(dy), backward_panels(), dx, adds, scratch.gemm);
}

void input_gradient(std::span<const projection_gradient> gradients, std::span<const mutable_rows> sums,
                    training_scratch& scratch) {
  const trainable_projection& cut = *gradients.front().of;
  TROUPE_ASSERT(sums.size() == cut.nodes_.size());
  const uint32_t rows = gradients.front().dy.rows, inputs = cut.weight.slice.columns;
  for (uint32_t first = 0; first < rows; first += rows_at_once) {
    const uint32_t count = std::min(rows_at_once, rows - first);
    const auto leaf_sum = [&](uint32_t leaf, mutable_rows out) {
      const range outputs = cut.leaves_[leaf - cut.first_leaf_];
      const uint32_t begin = outputs.first - cut.weight.slice.rows.first;
      bool adds = false;
      for (const auto& [one, dy] : gradients)
        gemm(as_is(some_columns(some_rows(dy, first, count), begin, outputs.count)),
             one->backward_panels().some_rows(begin, outputs.count), out, std::exchange(adds, true), scratch.gemm);
    };
    const auto temporary = [&](uint32_t depth) {
      if (scratch.sums.size() <= depth) scratch.sums.resize(depth + 1);
      return rows_of_buffer(scratch.sums[depth], count, inputs);
    };
    for (size_t i = 0; i < sums.size(); ++i) sum_node(cut.nodes_[i], some_rows(sums[i], first, count), leaf_sum, temporary);
  }
}

void trainable_projection::backward(const_rows x, const_rows dy, std::span<const mutable_rows> sums, training_scratch& scratch) {
  if (!weight) return;
  const const_rows own = some_columns(dy, rows().first, rows().count);
  const projection_gradient gradient{this, own};
  troupe::input_gradient({&gradient, 1}, sums, scratch);
  add_gradients(x, own, scratch);
}

trainable_norm::trainable_norm(norm_spec what, tensor_key key, uint32_t width, bool has_bias)
    : spec(what), weight({key, {0, width}, 1}, {{0, width}}) {
  key.is_bias = true;
  if (has_bias) bias = parameter({key, {0, width}, 1}, {{0, width}});
}

void trainable_norm::forward(const_rows x, mutable_rows y) const {
  for (uint32_t row = 0; row < x.rows; ++row) normalize(spec, weight.value, bias.value, x.row(row), y.row(row));
}

void trainable_norm::backward(const_rows x, const_rows dy, mutable_rows dx) {
  for (uint32_t row = 0; row < x.rows; ++row)
    normalize_backward(spec, weight.value, x.row(row), dy.row(row), dx.row(row), weight.gradient, bias.gradient);
}

} // namespace troupe
