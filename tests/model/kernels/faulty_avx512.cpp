// One bit of an accumulator flipped, on AVX-512.
#if defined(__x86_64__)
#include "model/kernels/faulty_product.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>
#include <utility>

#include <immintrin.h>

#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#define TROUPE_ISA faulty_avx512_kernels
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#include "model/kernels/simd_avx512.hpp"
#include "model/kernels/faulty_kernels.hpp"
#pragma GCC pop_options

namespace troupe::testing {
bool faulty_avx512(const product& task, uint32_t* totals) { return faulty_avx512_kernels::faulty_product(task, totals); }
} // namespace troupe::testing
#endif
