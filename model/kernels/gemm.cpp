// Checks and dispatch of general products; the arithmetic is in gemm_kernels.hpp.
#include "model/kernels/gemm.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"

#include <algorithm>

namespace troupe {
namespace {

constexpr uint32_t panel_width = gemm_panels::width;

uint64_t panels_size(uint32_t rows, uint32_t columns) {
  return (uint64_t(columns) + panel_width - 1) / panel_width * panel_width * rows;
}

template <class B> void check_shapes(const gemm_operand& a, const B& b, const mutable_rows& c) {
  TROUPE_ASSERT(a.columns == b.rows);
  TROUPE_ASSERT(c.rows == a.rows);
  TROUPE_ASSERT(c.columns == b.columns);
  TROUPE_ASSERT(c.stride >= c.columns);
  TROUPE_ASSERT(a.row_step == 1 || a.column_step == 1);
}

} // namespace

gemm_panels lay_out(const gemm_operand& b, row_buffer& buffer) {
  if (b.column_step == 1)
    TROUPE_ASSERT(b.rows <= 1 || b.row_step >= b.columns);
  else
    TROUPE_ASSERT(b.row_step == 1 && b.column_step >= b.rows);
  if (buffer.size() < panels_size(b.rows, b.columns)) buffer.resize(panels_size(b.rows, b.columns));
  const gemm_panels panels = panels_of_buffer(buffer, b.rows, b.columns);
  const uint32_t whole = b.columns / panel_width * panel_width, rest = b.columns - whole;
  if (b.column_step == 1) {
    constexpr uint32_t at_once = 8 * panel_width; // So that what is read of a row is long, and what is written at a time is in few pages.
    for (uint32_t first = 0; first < whole; first += at_once)
      for (uint32_t row = 0; row < b.rows; ++row) {
        const float* from = b.data + row * b.row_step;
        float* to = buffer.data() + first / panel_width * panels.panel_step + row * panel_width;
        for (uint32_t column = first; column < std::min(first + at_once, whole); column += panel_width, to += panels.panel_step)
          std::copy_n(from + column, panel_width, to);
      }
  } else {
    for (uint32_t first = 0; first < whole; first += panel_width)
      transpose({b.data + first * b.column_step, panel_width, b.rows, b.column_step},
                {buffer.data() + first / panel_width * panels.panel_step, b.rows, panel_width, panel_width});
  }
  for (uint32_t row = 0; rest > 0 && row < b.rows; ++row) {
    float* to = buffer.data() + whole / panel_width * panels.panel_step + row * panel_width;
    for (uint32_t column = 0; column < panel_width; ++column)
      to[column] = column < rest ? b.data[row * b.row_step + (whole + column) * b.column_step] : 0;
  }
  return panels;
}

gemm_panels panels_of_buffer(const row_buffer& buffer, uint32_t rows, uint32_t columns) {
  TROUPE_ASSERT(buffer.size() >= panels_size(rows, columns));
  return {rows, columns, buffer.data(), uint64_t(rows) * panel_width};
}

void gemm(const gemm_operand& a, const gemm_panels& b, mutable_rows c, bool add, row_buffer& scratch) {
  check_shapes(a, b, c);
  TROUPE_ASSERT(b.columns <= panel_width || b.panel_step >= uint64_t(b.rows) * panel_width);
  if (c.rows == 0 || c.columns == 0) return;
  current_kernels().gemm({a, b, c, add, scratch});
}

void gemm_reference(const gemm_operand& a, const_rows b, mutable_rows c, bool add) {
  check_shapes(a, b, c);
  TROUPE_ASSERT(b.stride >= b.columns);
  for (uint32_t i = 0; i < c.rows; ++i)
    for (uint32_t j = 0; j < c.columns; ++j) {
      double sum = add ? double(c.data[i * c.stride + j]) : 0;
      for (uint32_t t = 0; t < a.columns; ++t)
        sum += double(a.data[i * a.row_step + t * a.column_step]) * double(b.data[t * b.stride + j]);
      c.data[i * c.stride + j] = float(sum);
    }
}

} // namespace troupe
