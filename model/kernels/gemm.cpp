// Checks and dispatch of general products; the arithmetic is in gemm_kernels.hpp.
#include "model/kernels/gemm.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"

namespace troupe {
namespace {

void check_shapes(const gemm_operand& a, const const_rows& b, const mutable_rows& c) {
  TROUPE_ASSERT(a.columns == b.rows);
  TROUPE_ASSERT(c.rows == a.rows);
  TROUPE_ASSERT(c.columns == b.columns);
  TROUPE_ASSERT(b.stride >= b.columns);
  TROUPE_ASSERT(c.stride >= c.columns);
  TROUPE_ASSERT(a.row_step == 1 || a.column_step == 1);
}

} // namespace

void gemm(const gemm_operand& a, const_rows b, mutable_rows c, bool add, std::vector<float>& scratch) {
  check_shapes(a, b, c);
  if (c.rows == 0 || c.columns == 0) return;
  current_kernels().gemm({a, b, c, add, scratch});
}

void gemm_reference(const gemm_operand& a, const_rows b, mutable_rows c, bool add) {
  check_shapes(a, b, c);
  for (uint32_t i = 0; i < c.rows; ++i)
    for (uint32_t j = 0; j < c.columns; ++j) {
      double sum = add ? double(c.data[i * c.stride + j]) : 0;
      for (uint32_t t = 0; t < a.columns; ++t)
        sum += double(a.data[i * a.row_step + t * a.column_step]) * double(b.data[t * b.stride + j]);
      c.data[i * c.stride + j] = float(sum);
    }
}

} // namespace troupe
