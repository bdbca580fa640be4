// One bit of an accumulator flipped, on AVX-512.
#if defined(__x86_64__)
#include "model/struck_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define TROUPE_ISA struck_avx512_kernels
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "model/kernels/simd_avx512.hpp"

namespace troupe::TROUPE_ISA {
constexpr int int8_groups_few = 1, int8_groups = 2;
constexpr uint32_t int8_rows_few = 2;
using int8_row_sizes_few = std::integer_sequence<int, 1, 2>;
using int8_row_sizes = std::integer_sequence<int, 2, 4, 6>;
constexpr uint32_t int8_rows_unpacked = 2; // So that unpacked weights are met as well.
constexpr int float_groups_few = 1, float_groups = 1;
constexpr uint32_t float_rows_few = 1;
using float_row_sizes_few = std::integer_sequence<int, 1>;
constexpr uint32_t float_rows_widened = 24;
using float_row_sizes = std::integer_sequence<int, 2>;
} // namespace troupe::TROUPE_ISA

#include "model/struck_kernels.hpp"
#pragma GCC pop_options

namespace troupe::testing {
bool struck_avx512(const product& task, uint32_t* totals) { return struck_avx512_kernels::struck_product(task, totals); }
} // namespace troupe::testing
#endif
