// The kernels for AVX2 with FMA and F16C.
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

#define TROUPE_ISA avx2
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#include "model/kernels/simd_avx2.hpp"

namespace troupe::avx2 {
// 16 registers of half a vector of 16 lanes each: small tiles.
constexpr int int8_groups_few = 1, int8_groups = 1;
constexpr uint32_t int8_rows_few = 1;
using int8_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t int8_rows_unpacked = 4; // Up to here unpacking for each tile of rows costs less.
using int8_row_sizes = std::integer_sequence<int, 2>;
constexpr int float_groups_few = 2, float_groups = 1;
constexpr uint32_t float_rows_few = 1;
using float_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t float_rows_widened = 12; // The same for 16-bit weights.
using float_row_sizes = std::integer_sequence<int, 2, 4, 6>;
constexpr int units_at_once = 1;
} // namespace troupe::avx2

#include "model/kernels/all_kernels.hpp"
#pragma GCC pop_options

namespace troupe {
constinit const kernel_table avx2_kernels = avx2::make_table("avx2");
} // namespace troupe
#endif
