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

#include "model/kernels/tile_sizes_avx512.hpp"
#include "model/kernels/all_kernels.hpp"
#pragma GCC pop_options

namespace troupe {
constinit const kernel_table avx512_kernels = avx512::make_table("avx512");
} // namespace troupe
#endif
