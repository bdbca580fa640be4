#include "model/kernels/rowwise.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {

void trainable_shard::inner(const_rows x, mutable_rows out, kept_inner& kept, training_scratch& scratch) const {
  if (!up.weight) return;
  const mutable_rows ups = rows_of_buffer(kept.up, x.rows, up.rows().count);
  up.forward(x, ups, scratch);
  mutable_rows gates;
  if (feed_forward.gated) {
    gates = rows_of_buffer(kept.gate, x.rows, up.rows().count);
    gate.forward(x, gates, scratch);
  }
  for (uint32_t row = 0; row < x.rows; ++row) {
    std::ranges::copy(feed_forward.gated ? gates.row(row) : ups.row(row), out.row(row).begin());
    if (feed_forward.gated) activate_gated(feed_forward.activation, out.row(row), ups.row(row));
    else activate(feed_forward.activation, out.row(row));
  }
}

void trainable_shard::inner_backward(const_rows x, kept_inner& kept, const_rows dy, std::span<const mutable_rows> sums,
                                     training_scratch& scratch) {
  if (!up.weight) return;
  const range columns = up.rows();
  const const_rows own = some_columns(dy, columns.first, columns.count);
  const mutable_rows ups = rows_of_buffer(kept.up, x.rows, columns.count);
  if (!feed_forward.gated) {
    // The gradient goes where the activation was.
    std::vector<float> slope(columns.count);
    for (uint32_t row = 0; row < x.rows; ++row) {
      std::ranges::copy(own.row(row), slope.begin());
      activate_backward(feed_forward.activation, ups.row(row), slope);
      std::ranges::copy(slope, ups.row(row).begin());
    }
    const projection_gradient gradient{&up, ups};
    input_gradient({&gradient, 1}, sums, scratch);
    up.add_gradients(x, ups, scratch);
    return;
  }
  const mutable_rows gates = rows_of_buffer(kept.gate, x.rows, columns.count);
  for (uint32_t row = 0; row < x.rows; ++row)
    activate_gated_backward(feed_forward.activation, gates.row(row), ups.row(row), own.row(row));
  const projection_gradient gradients[]{{&gate, gates}, {&up, ups}};
  input_gradient(gradients, sums, scratch);
  const gemm_panels input = lay_out(as_is(x), scratch.panels);
  gate.add_gradients(input, gates, scratch);
  up.add_gradients(input, ups, scratch);
}

void trainable_shard::prepare() {
  for (auto* one : {&output, &cross_output, &gate, &up, &down}) one->prepare();
}

} // namespace troupe
