#pragma once
// What an actor trains: its slices of the model's tensors, with their gradients and the optimiser's state. Nobody else has them.
#include "model/kernels/backward.hpp"
#include "model/kernels/rows.hpp"
#include "model/parts.hpp"
#include "model/training/sum_tree.hpp"
#include "model/training/tensor_key.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// Rows `rows` of a tensor: a matrix [outputs, inputs], or a vector as one column.
struct tensor_slice {
  tensor_key key;
  range rows;
  uint32_t columns = 1;
  uint64_t size() const { return uint64_t(rows.count) * columns; }
  auto operator<=>(const tensor_slice& other) const {
    if (const auto order = key <=> other.key; order != 0) return order;
    return rows.first <=> other.rows.first;
  }
  bool operator==(const tensor_slice&) const = default;
};

struct parameter {
  tensor_slice slice;
  std::vector<range> pieces; // The leaves of the sum tree it consists of, as rows of the tensor: in these squares are summed.
  std::vector<float> value, gradient, first_moment, second_moment; // [rows.count, columns]
  std::vector<float> smoothed; // The same, where the weights are smoothed; else empty.

  parameter() = default;
  parameter(tensor_slice what, std::vector<range> cut);
  explicit operator bool() const { return !value.empty(); }
  const_rows values() const { return {value.data(), slice.rows.count, slice.columns, slice.columns}; }
  mutable_rows gradients() { return {gradient.data(), slice.rows.count, slice.columns, slice.columns}; }
  /// Whether weight decay applies: to matrices, not to biases and norms.
  bool decays() const { return slice.columns > 1; }
};

/// The sum of the squares of some gradients, in float64, over 8 lanes in a fixed order.
double sum_of_squares(std::span<const float> values);

/// The squares of one piece. The norm of all gradients is the root of the sum of these, in the order of slices: the same bits
/// however the tensors are cut.
struct piece_square {
  tensor_slice piece;
  double sum = 0;
};
void append_squares(const parameter& one, std::vector<piece_square>& to);
/// The Euclidean norm. Sorts the squares.
double norm_of(std::vector<piece_square>& squares);

/// Fills `value` with the slice of the whole tensor.
void load_values(parameter& one, std::span<const float> whole);

void zero_gradients(parameter& one);
/// smoothing_kept: where not 0, smoothed = kept * smoothed + (1 - kept) * value; it begins with the first value.
void update(parameter& one, const adam_step& step, float smoothing_kept = 0);

} // namespace troupe
