// The kernels for AVX-512 with AMX: those for AVX-512, but for products of quantised weights with many rows.
#if defined(__x86_64__)
// What comes before the pragma is compiled for the baseline, see kernels_avx512.cpp.
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include <immintrin.h>

// GCC 12 warns about its own _mm512_undefined_epi32() and the like.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define TROUPE_ISA amx
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8")
#include "model/kernels/simd_avx512.hpp"
#include "model/kernels/tile_sizes_avx512.hpp"
#include "model/kernels/unroll.hpp"
// unroll.hpp first.
#include "model/kernels/matrix_kernels.hpp"
// These need matrix_kernels.hpp.
#include "model/kernels/amx_products.hpp"
#include "model/kernels/check_kernels.hpp"

namespace troupe::amx {

bool multiply_range(const product& task, const product_range& range) {
  return with_block_format(task.w.get().type, [&](auto format) {
    if (range.dot_totals == nullptr)
      multiply_with_tiles<decltype(format), unchecked>(task, range, avx512_kernels.multiply_range);
    else
      multiply_with_tiles<decltype(format), checked>(task, range, avx512_kernels.multiply_range);
  });
}

void multiply_any(const product& task) {
  if (!multiply_range(task, {0, task.w.get().groups, nullptr})) avx512_kernels.multiply(task);
}

bool multiply_checked(const product& task, uint32_t* totals) {
  const bool has_blocks = with_block_format(task.w.get().type, [](auto) {});
  return has_blocks ? multiply_int8_checked(task, totals, multiply_range) : avx512_kernels.multiply_checked(task, totals);
}

} // namespace troupe::amx
#pragma GCC pop_options

namespace troupe {
const kernel_table& amx_kernels() {
  static const kernel_table table = [] {
    kernel_table made = avx512_kernels;
    made.name = "amx";
    made.multiply = amx::multiply_any;
    made.multiply_checked = amx::multiply_checked;
    made.multiply_range = amx::multiply_range;
    made.multiply_int8_only = amx::multiply_int8_only_in_registers;
    made.has_tile_registers = true;
    return made;
  }();
  return table;
}
} // namespace troupe
#endif
