// Vectors of 16 lanes on AVX-512 with VNNI. The same names and the same results, bit for bit, as
// simd_plain.hpp, which explains them. Included after the target pragma.
#pragma once
#include <cstdint>
#include <immintrin.h>

#define TROUPE_INLINE inline __attribute__((always_inline))

namespace troupe::TROUPE_ISA {

struct f32x16 {
  __m512 v;
};
struct i32x16 {
  __m512i v;
};
struct u8x64 {
  __m512i v;
};

TROUPE_INLINE __mmask16 first_lanes(uint32_t n) { return __mmask16((1u << n) - 1); }

TROUPE_INLINE f32x16 zero_floats() { return {_mm512_setzero_ps()}; }
TROUPE_INLINE f32x16 all_lanes(float x) { return {_mm512_set1_ps(x)}; }
TROUPE_INLINE f32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
TROUPE_INLINE f32x16 load_first(const float* p, uint32_t n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
TROUPE_INLINE void store(float* p, f32x16 x) { _mm512_storeu_ps(p, x.v); }
TROUPE_INLINE void store_first(float* p, f32x16 x, uint32_t n) {
  _mm512_mask_storeu_ps(p, first_lanes(n), x.v);
}
TROUPE_INLINE f32x16 operator+(f32x16 a, f32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
TROUPE_INLINE f32x16 operator-(f32x16 a, f32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
TROUPE_INLINE f32x16 operator*(f32x16 a, f32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
TROUPE_INLINE f32x16 operator/(f32x16 a, f32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
TROUPE_INLINE f32x16 square_root(f32x16 x) { return {_mm512_sqrt_ps(x.v)}; }
TROUPE_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
TROUPE_INLINE f32x16 max(f32x16 a, f32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
TROUPE_INLINE f32x16 min(f32x16 a, f32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }

TROUPE_INLINE f32x16 load_half(const void* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p)))};
}
/// As half_of_float rounds: what is finite stays finite, every NaN is the same.
TROUPE_INLINE void store_half(void* p, f32x16 x) {
  const __m512i bits = _mm512_castps_si512(x.v), infinity = _mm512_set1_epi32(0x7f800000);
  __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
  const __mmask16 is_finite = _mm512_cmplt_epi32_mask(magnitude, infinity), is_nan = _mm512_cmpgt_epi32_mask(magnitude, infinity);
  magnitude = _mm512_mask_min_epi32(magnitude, is_finite, magnitude, _mm512_set1_epi32(0x477fe000)); // 65504.
  magnitude = _mm512_mask_blend_epi32(is_nan, magnitude, _mm512_set1_epi32(0x7fc00000));
  const __m512i sign = _mm512_and_si512(bits, _mm512_set1_epi32(INT32_MIN));
  const __m512 rounded = _mm512_castsi512_ps(_mm512_or_si512(magnitude, sign));
  _mm256_storeu_si256(static_cast<__m256i*>(p), _mm512_cvtps_ph(rounded, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
TROUPE_INLINE f32x16 load_bfloat(const void* p) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
}
TROUPE_INLINE i32x16 widen_bytes(const void* p) {
  return {_mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p)))};
}
TROUPE_INLINE f32x16 load_unsigned_bytes(const void* p) { return {_mm512_cvtepi32_ps(widen_bytes(p).v)}; }
TROUPE_INLINE f32x16 load_signed_bytes(const void* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))))};
}

TROUPE_INLINE i32x16 all_lanes(int32_t x) { return {_mm512_set1_epi32(x)}; }
TROUPE_INLINE i32x16 operator+(i32x16 a, i32x16 b) { return {_mm512_add_epi32(a.v, b.v)}; }
TROUPE_INLINE i32x16 operator-(i32x16 a, i32x16 b) { return {_mm512_sub_epi32(a.v, b.v)}; }
TROUPE_INLINE i32x16 operator&(i32x16 a, i32x16 b) { return {_mm512_and_si512(a.v, b.v)}; }
TROUPE_INLINE i32x16 operator|(i32x16 a, i32x16 b) { return {_mm512_or_si512(a.v, b.v)}; }
TROUPE_INLINE i32x16 max(i32x16 a, i32x16 b) { return {_mm512_max_epi32(a.v, b.v)}; }
template <int Bits>
TROUPE_INLINE i32x16 shift_left(i32x16 x) {
  return {_mm512_slli_epi32(x.v, Bits)};
}
template <int Bits>
TROUPE_INLINE i32x16 shift_right(i32x16 x) {
  return {_mm512_srai_epi32(x.v, Bits)};
}
TROUPE_INLINE i32x16 round_to_int(f32x16 x) { return {_mm512_cvtps_epi32(x.v)}; }
TROUPE_INLINE f32x16 to_float(i32x16 x) { return {_mm512_cvtepi32_ps(x.v)}; }
TROUPE_INLINE i32x16 bits_of(f32x16 x) { return {_mm512_castps_si512(x.v)}; }
TROUPE_INLINE f32x16 float_of_bits(i32x16 x) { return {_mm512_castsi512_ps(x.v)}; }
TROUPE_INLINE f32x16 select_negative(f32x16 x, f32x16 yes, f32x16 no) {
  return {_mm512_mask_blend_ps(_mm512_movepi32_mask(_mm512_castps_si512(x.v)), no.v, yes.v)};
}
TROUPE_INLINE void store_bytes(int8_t* p, i32x16 x) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(x.v));
}

TROUPE_INLINE float sum_of_lanes(f32x16 x) {
  const __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}
TROUPE_INLINE float max_of_lanes(f32x16 x) {
  const __m256 by8 = _mm256_max_ps(_mm512_castps512_ps256(x.v), _mm512_extractf32x8_ps(x.v, 1));
  const __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
}
// Modulo 2^32. The intrinsic for it ends in a sum of two int, which must not overflow.
TROUPE_INLINE int32_t sum_of_lanes(i32x16 x) {
  const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(x.v), _mm512_extracti64x4_epi64(x.v, 1));
  const __m128i quarter = _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const __m128i pair = _mm_add_epi32(quarter, _mm_shuffle_epi32(quarter, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(pair, _mm_shuffle_epi32(pair, 0xb1)));
}
TROUPE_INLINE int32_t max_of_lanes(i32x16 x) { return _mm512_reduce_max_epi32(x.v); }

TROUPE_INLINE f32x16 swap_pairs(f32x16 x) { return {_mm512_permute_ps(x.v, 0xb1)}; }
TROUPE_INLINE f32x16 negate_even(f32x16 x) {
  return {_mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(x.v), _mm512_set1_epi64(0x80000000)))};
}
TROUPE_INLINE f32x16 load_each_twice(const float* p) {
  const __m512i lanes = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
  return {_mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(_mm256_loadu_ps(p)))};
}

TROUPE_INLINE u8x64 load_codes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
TROUPE_INLINE void store_codes(uint8_t* p, u8x64 x) { _mm512_storeu_si512(p, x.v); }
TROUPE_INLINE u8x64 all_bytes(uint8_t x) { return {_mm512_set1_epi8(char(x))}; }
TROUPE_INLINE u8x64 operator&(u8x64 a, u8x64 b) { return {_mm512_and_si512(a.v, b.v)}; }
TROUPE_INLINE u8x64 operator|(u8x64 a, u8x64 b) { return {_mm512_or_si512(a.v, b.v)}; }
template <int Bits>
TROUPE_INLINE u8x64 shift_pairs(u8x64 x) {
  if constexpr (Bits >= 0)
    return {_mm512_slli_epi16(x.v, Bits)};
  else
    return {_mm512_srli_epi16(x.v, -Bits)};
}

template <int Bytes>
TROUPE_INLINE u8x64 subtract_bytes(u8x64 x) {
  return {_mm512_sub_epi8(x.v, _mm512_set1_epi8(char(Bytes)))};
}

TROUPE_INLINE u8x64 look_up(const uint8_t* table, u8x64 indices) {
  const __m512i values = _mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
  return {_mm512_shuffle_epi8(values, indices.v)};
}

TROUPE_INLINE i32x16 broadcast_codes(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return {_mm512_set1_epi32(four)};
}
/// vpdpbusd: exact, 32-bit.
template <int CodeBits>
TROUPE_INLINE i32x16 dot_codes(i32x16 sum, u8x64 w, i32x16 x) {
  return {_mm512_dpbusd_epi32(sum.v, w.v, x.v)};
}
constexpr bool dot_removes_128 = false;

TROUPE_INLINE i32x16 dot_words(i32x16 sum, const int16_t* w, const int8_t* x) {
  const __m512i wide = _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)));
  return {_mm512_dpwssd_epi32(sum.v, _mm512_loadu_si512(w), wide)};
}

} // namespace troupe::TROUPE_ISA
