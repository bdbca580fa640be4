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

/// Calls function(block_format<T>{}) for a product that tiles are used for.
template <class Function>
bool with_tiled_format(const product& task, Function function) {
  bool is_tiled = false;
  if (task.x.has_tiles())
    with_block_format(task.w.get().type, [&](auto format) {
      if constexpr (uses_tiles<decltype(format)>) {
        function(format);
        is_tiled = true;
      }
    });
  return is_tiled;
}

void multiply_any(const product& task) {
  const group_range all{0, task.w.get().groups, nullptr};
  if (!with_tiled_format(task, [&](auto format) { multiply_in_tiles<decltype(format), unchecked>(task, all); }))
    avx512_kernels.multiply(task);
}

bool multiply_checked(const product& task, uint32_t* totals) {
  bool is_right = false;
  const bool is_tiled = with_tiled_format(task, [&](auto format) {
    is_right = multiply_int8_checked(task, totals, multiply_in_tiles<decltype(format), checked>);
  });
  return is_tiled ? is_right : avx512_kernels.multiply_checked(task, totals);
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
    made.multiply_int8_only = amx::multiply_int8_only_in_registers;
    made.has_tile_registers = true;
    return made;
  }();
  return table;
}
} // namespace troupe
#endif
