// Products and norms with the weights of one part, and how a matrix is cut into shards.
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/parts.hpp"
#include <algorithm>

namespace troupe {

range shard_range(uint32_t rows, uint32_t shards, uint32_t shard) {
  TROUPE_ASSERT(shard < shards);
  const uint64_t unit = 32; // Two groups of packed rows; one block of quantised activations.
  const uint64_t units = (rows + unit - 1) / unit;
  const auto start_of = [&](uint64_t index) {
    return std::min<uint64_t>(rows, units * index / shards * unit);
  };
  const uint64_t first = start_of(shard);
  return {uint32_t(first), uint32_t(start_of(shard + 1ull) - first)};
}

void norm_weights::apply(const_rows x, mutable_rows out) const {
  TROUPE_ASSERT(x.rows == out.rows);
  TROUPE_ASSERT(x.columns == weight.size());
  TROUPE_ASSERT(out.columns == weight.size());
  for (uint32_t row = 0; row < x.rows; ++row) normalize(spec, weight, bias, x.row(row), out.row(row));
}

void projection::apply(product_input& input, mutable_rows out) const {
  TROUPE_ASSERT(out.columns == outputs());
  if (outputs() == 0 || out.rows == 0) return;
  const operand& x = input.as(matrix->wants());
  TROUPE_ASSERT(x.columns() == matrix->columns());
  TROUPE_ASSERT(x.rows() == out.rows);
  if (!multiply_checked(*matrix, x, bias, out, input.totals()))
    throw wrong_bits("a product with " + source.name + " disagrees with the sums of its weights");
}

void projection_shard_part::attention_output(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  output.apply(scratch.input, out);
}

void projection_shard_part::cross_attention_output(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  cross_output.apply(scratch.input, out);
}

void projection_shard_part::inner(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  if (!feed_forward.gated) {
    up.apply(scratch.input, out);
    for (uint32_t row = 0; row < out.rows; ++row) activate(feed_forward.activation, out.row(row));
    return;
  }
  const mutable_rows ups = rows_of_buffer(scratch.up, x.rows, inner_range.count);
  gate.apply(scratch.input, out);
  up.apply(scratch.input, ups);
  for (uint32_t row = 0; row < out.rows; ++row)
    activate_gated(feed_forward.activation, out.row(row), ups.row(row));
}

void projection_shard_part::outer(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  down.apply(scratch.input, out);
}

void output_shard_part::forward(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  output.apply(scratch.input, out);
}

void output_shard_part::apply_transform(const_rows x, mutable_rows out, part_scratch& scratch) const {
  scratch.input.assign(x);
  transform.apply(scratch.input, out);
}

void output_part::enter(const_rows x, mutable_rows out) const {
  TROUPE_ASSERT(x.rows == out.rows && x.columns == out.columns);
  if (final_norm) final_norm->apply(x, out);
  else if (x.data != out.data)
    for (uint32_t row = 0; row < x.rows; ++row) std::ranges::copy(x.row(row), out.row(row).begin());
  if (spec.scale == 1) return;
  for (uint32_t row = 0; row < x.rows; ++row)
    for (float& element : out.row(row)) element *= spec.scale;
}

void output_part::finish_transform(mutable_rows x) const {
  TROUPE_ASSERT(spec.transform.has_value());
  for (uint32_t row = 0; row < x.rows; ++row) activate(spec.transform->activation, x.row(row));
  if (transform_norm) transform_norm->apply(x, x);
}

} // namespace troupe
