// The kernels for AVX-512 with VNNI.
#if defined(__x86_64__)
// Everything that is compiled for the baseline comes before the pragma: what the standard library and our own
// headers define inline must not be compiled for this instruction set, because the linker may keep that copy
// for all callers.
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#include <immintrin.h>

// GCC 12 warns about its own _mm512_undefined_epi32() and the like.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define TROUPE_ISA avx512
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "model/kernels/simd_avx512.hpp"

namespace troupe::avx512 {
// 32 registers: a tile of int8 needs 2 per group and row, of float 1, and some for weights, activations and
// scales.
constexpr int int8_groups_few = 1, int8_groups = 2;
constexpr uint32_t int8_rows_few = 8;
using int8_row_sizes_few = std::integer_sequence<int, 1, 2, 4, 6, 8>;
constexpr uint32_t int8_rows_unpacked = 12; // Up to here unpacking for each tile of rows costs less.
using int8_row_sizes = std::integer_sequence<int, 2, 4, 6>;
constexpr int float_groups_few = 2, float_groups = 2;
constexpr uint32_t float_rows_few = 8;
using float_row_sizes_few = std::integer_sequence<int, 1, 2, 4, 8>;
constexpr uint32_t float_rows_widened = 24; // The same for 16-bit weights.
using float_row_sizes = std::integer_sequence<int, 4, 8, 12>;
constexpr int units_at_once = 4;
} // namespace troupe::avx512

#include "model/kernels/all_kernels.hpp"
#pragma GCC pop_options

namespace troupe {
constinit const kernel_table avx512_kernels = avx512::make_table("avx512");
} // namespace troupe
#endif
