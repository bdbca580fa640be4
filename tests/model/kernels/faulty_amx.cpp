// One bit of an accumulator flipped, on AVX-512 with AMX.
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

#define TROUPE_ISA faulty_amx_kernels
#define TROUPE_TILE_REGISTERS
#pragma GCC push_options
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,amx-tile,amx-int8")
#include "model/kernels/simd_avx512.hpp"
#include "model/kernels/faulty_kernels.hpp"
#pragma GCC pop_options

namespace troupe::testing {
bool faulty_amx(const product& task, uint32_t* totals) { return faulty_amx_kernels::faulty_product(task, totals); }
} // namespace troupe::testing
#endif
