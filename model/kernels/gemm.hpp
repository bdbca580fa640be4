#pragma once
// General float32 matrix products, C = A B or C += A B, for training: there no matrix is constant, so none is packed for good.
// Inference multiplies by packed weights instead (matrix.hpp), which for float32 gives the same bits.
#include "model/kernels/row_buffers.hpp"
#include <cstdint>

namespace troupe {

/// A matrix of which rows or columns are contiguous: element (i, t) is data[i * row_step + t * column_step]; one of the steps is
/// 1. A view.
struct gemm_operand {
  const float* data = nullptr;
  uint32_t rows = 0, columns = 0;
  uint64_t row_step = 0, column_step = 1;
};

/// The matrix itself, and its transpose.
inline gemm_operand as_is(const_rows x) { return {x.data, x.rows, x.columns, x.stride, 1}; }
inline gemm_operand transposed(const_rows x) { return {x.data, x.columns, x.rows, 1, x.stride}; }

/// A matrix as B: panels of `width` columns one after the other, each row after row ([panels][rows][width]; the last panel's columns
/// that do not exist are 0). Laid out once for many products, so that what a tile reads is one stream. A view.
struct gemm_panels {
  static constexpr uint32_t width = 32;
  uint32_t rows = 0, columns = 0;
  const float* data = nullptr;
  uint64_t panel_step = 0; // In floats.
  gemm_panels some_rows(uint32_t first, uint32_t count) const {
    return {count, columns, data + uint64_t(first) * width, panel_step};
  }
  gemm_panels first_columns(uint32_t count) const { return {rows, count, data, panel_step}; }
};
/// Lays a matrix, or a transpose, out in `buffer`, which only ever grows. Valid until the buffer changes.
gemm_panels lay_out(const gemm_operand& b, row_buffer& buffer);
/// What lay_out of a matrix of this shape put there.
gemm_panels panels_of_buffer(const row_buffer& buffer, uint32_t rows, uint32_t columns);

/// c[i][j] = sum over t of a(i, t) * b[t][j], or that added to c[i][j]. a: [I, T], b: [T, J], c: [I, J]; T may be 0. c must not
/// overlap a, b or scratch.
///
/// Every element is computed in one vector lane, by c = fma(b[t][j], a(i, t), c) for t = 0, 1, ..., from 0 or from what it was: the
/// same bits for any cut of I and J, on every instruction set, and when the T of one product come in several calls that add.
/// `scratch` only ever grows, and what it holds does not matter: keep it between calls.
void gemm(const gemm_operand& a, const gemm_panels& b, mutable_rows c, bool add, row_buffer& scratch);

/// The same with sums in float64, rounded at the end. For tests.
void gemm_reference(const gemm_operand& a, const_rows b, mutable_rows c, bool add);

} // namespace troupe
