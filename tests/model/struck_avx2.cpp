// One bit of an accumulator flipped, on AVX2.
#if defined(__x86_64__)
#include "model/struck_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include <immintrin.h>

#define TROUPE_ISA struck_avx2_kernels
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#include "model/kernels/simd_avx2.hpp"
#include "model/struck_kernels.hpp"
#pragma GCC pop_options

namespace troupe::testing {
bool struck_avx2(const product& task, uint32_t* totals) { return struck_avx2_kernels::struck_product(task, totals); }
} // namespace troupe::testing
#endif
