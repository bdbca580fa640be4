// One bit of an accumulator flipped, on AVX2.
#if defined(__x86_64__)
#include "model/kernels/faulty_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include <immintrin.h>

#define TROUPE_ISA faulty_avx2_kernels
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c")
#include "model/kernels/simd_avx2.hpp"
#include "model/kernels/faulty_kernels.hpp"
#pragma GCC pop_options

namespace troupe::testing {
bool faulty_avx2(const product& task, uint32_t* totals) { return faulty_avx2_kernels::faulty_product(task, totals); }
} // namespace troupe::testing
#endif
