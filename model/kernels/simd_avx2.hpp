// Vectors of 16 lanes on AVX2 with FMA and F16C: two registers each. The same names and the same results, bit
// for bit, as simd_plain.hpp, which explains them. Included by kernels_avx2.cpp alone, after the target
// pragma.
#pragma once
#include <cstdint>
#include <immintrin.h>

#define TROUPE_INLINE inline __attribute__((always_inline))

namespace troupe::TROUPE_ISA {

struct f32x16 {
  __m256 a, b; // Lanes 0..7 and 8..15.
};
struct i32x16 {
  __m256i a, b;
};
struct u8x64 {
  __m256i a, b;
};

/// Eight lanes of all ones, then zeros: a window that starts at 16 - n masks the first n.
alignas(64) inline constexpr int32_t lane_masks[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                       -1, -1, -1, -1, -1, -1, -1, -1};
TROUPE_INLINE __m256i masks_at(uint32_t index) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lane_masks + index));
}

TROUPE_INLINE f32x16 zero_floats() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
TROUPE_INLINE f32x16 all_lanes(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
TROUPE_INLINE f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
TROUPE_INLINE f32x16 load_first(const float* p, uint32_t n) {
  return {_mm256_maskload_ps(p, masks_at(16 - n)), _mm256_maskload_ps(p + 8, masks_at(24 - n))};
}
TROUPE_INLINE void store(float* p, f32x16 x) {
  _mm256_storeu_ps(p, x.a);
  _mm256_storeu_ps(p + 8, x.b);
}
TROUPE_INLINE void store_first(float* p, f32x16 x, uint32_t n) {
  _mm256_maskstore_ps(p, masks_at(16 - n), x.a);
  _mm256_maskstore_ps(p + 8, masks_at(24 - n), x.b);
}
TROUPE_INLINE f32x16 operator+(f32x16 x, f32x16 y) {
  return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}
TROUPE_INLINE f32x16 operator-(f32x16 x, f32x16 y) {
  return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}
TROUPE_INLINE f32x16 operator*(f32x16 x, f32x16 y) {
  return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}
TROUPE_INLINE f32x16 operator/(f32x16 x, f32x16 y) {
  return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}
TROUPE_INLINE f32x16 square_root(f32x16 x) { return {_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)}; }
TROUPE_INLINE f32x16 fma(f32x16 x, f32x16 y, f32x16 z) {
  return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}
TROUPE_INLINE f32x16 max(f32x16 x, f32x16 y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
TROUPE_INLINE f32x16 min(f32x16 x, f32x16 y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }

TROUPE_INLINE __m128i load_128(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
TROUPE_INLINE __m128i load_64(const void* p) { return _mm_loadl_epi64(static_cast<const __m128i*>(p)); }
TROUPE_INLINE const uint8_t* bytes_after(const void* p, int n) { return static_cast<const uint8_t*>(p) + n; }

TROUPE_INLINE f32x16 load_half(const void* p) {
  return {_mm256_cvtph_ps(load_128(p)), _mm256_cvtph_ps(load_128(bytes_after(p, 16)))};
}
TROUPE_INLINE __m128i to_half(__m256 x) {
  const __m256i bits = _mm256_castps_si256(x), infinity = _mm256_set1_epi32(0x7f800000);
  __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
  const __m256i is_finite = _mm256_cmpgt_epi32(infinity, magnitude), is_nan = _mm256_cmpgt_epi32(magnitude, infinity);
  const __m256i bounded = _mm256_min_epi32(magnitude, _mm256_set1_epi32(0x477fe000)); // 65504.
  magnitude = _mm256_blendv_epi8(magnitude, bounded, is_finite);
  magnitude = _mm256_blendv_epi8(magnitude, _mm256_set1_epi32(0x7fc00000), is_nan);
  const __m256i sign = _mm256_and_si256(bits, _mm256_set1_epi32(INT32_MIN));
  return _mm256_cvtps_ph(_mm256_castsi256_ps(_mm256_or_si256(magnitude, sign)), _MM_FROUND_TO_NEAREST_INT);
}
TROUPE_INLINE void store_half(void* p, f32x16 x) {
  _mm_storeu_si128(static_cast<__m128i*>(p), to_half(x.a));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(static_cast<uint8_t*>(p) + 16), to_half(x.b));
}
TROUPE_INLINE f32x16 load_bfloat(const void* p) {
  const __m256i a = _mm256_cvtepu16_epi32(load_128(p)),
                b = _mm256_cvtepu16_epi32(load_128(bytes_after(p, 16)));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(a, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(b, 16))};
}
TROUPE_INLINE i32x16 widen_bytes(const void* p) {
  return {_mm256_cvtepu8_epi32(load_64(p)), _mm256_cvtepu8_epi32(load_64(bytes_after(p, 8)))};
}
TROUPE_INLINE f32x16 load_unsigned_bytes(const void* p) {
  const i32x16 wide = widen_bytes(p);
  return {_mm256_cvtepi32_ps(wide.a), _mm256_cvtepi32_ps(wide.b)};
}
TROUPE_INLINE f32x16 load_signed_bytes(const void* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_64(p))),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(load_64(bytes_after(p, 8))))};
}

TROUPE_INLINE i32x16 all_lanes(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
TROUPE_INLINE i32x16 operator+(i32x16 x, i32x16 y) {
  return {_mm256_add_epi32(x.a, y.a), _mm256_add_epi32(x.b, y.b)};
}
TROUPE_INLINE i32x16 operator-(i32x16 x, i32x16 y) {
  return {_mm256_sub_epi32(x.a, y.a), _mm256_sub_epi32(x.b, y.b)};
}
TROUPE_INLINE i32x16 operator&(i32x16 x, i32x16 y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
TROUPE_INLINE i32x16 operator|(i32x16 x, i32x16 y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
TROUPE_INLINE i32x16 max(i32x16 x, i32x16 y) {
  return {_mm256_max_epi32(x.a, y.a), _mm256_max_epi32(x.b, y.b)};
}
template <int Bits>
TROUPE_INLINE i32x16 shift_left(i32x16 x) {
  return {_mm256_slli_epi32(x.a, Bits), _mm256_slli_epi32(x.b, Bits)};
}
template <int Bits>
TROUPE_INLINE i32x16 shift_right(i32x16 x) {
  return {_mm256_srai_epi32(x.a, Bits), _mm256_srai_epi32(x.b, Bits)};
}
TROUPE_INLINE i32x16 round_to_int(f32x16 x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
TROUPE_INLINE f32x16 to_float(i32x16 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
TROUPE_INLINE i32x16 bits_of(f32x16 x) { return {_mm256_castps_si256(x.a), _mm256_castps_si256(x.b)}; }
TROUPE_INLINE f32x16 float_of_bits(i32x16 x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
TROUPE_INLINE f32x16 select_negative(f32x16 x, f32x16 yes, f32x16 no) {
  return {_mm256_blendv_ps(no.a, yes.a, x.a), _mm256_blendv_ps(no.b, yes.b, x.b)};
}
TROUPE_INLINE void store_bytes(int8_t* p,
                               i32x16 x) { // In [-128, 127], so that the saturating packs do not change it.
  const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);
  const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

TROUPE_INLINE float sum_of_lanes(f32x16 x) {
  const __m256 by8 = _mm256_add_ps(x.a, x.b);
  const __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}
TROUPE_INLINE float max_of_lanes(f32x16 x) {
  const __m256 by8 = _mm256_max_ps(x.a, x.b);
  const __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
  const __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
  return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
}
TROUPE_INLINE int32_t sum_of_lanes(i32x16 x) {
  const __m256i by8 = _mm256_add_epi32(x.a, x.b);
  const __m128i by4 = _mm_add_epi32(_mm256_castsi256_si128(by8), _mm256_extracti128_si256(by8, 1));
  const __m128i by2 = _mm_add_epi32(by4, _mm_shuffle_epi32(by4, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(by2, _mm_shuffle_epi32(by2, 0xb1)));
}
TROUPE_INLINE int32_t max_of_lanes(i32x16 x) {
  const __m256i by8 = _mm256_max_epi32(x.a, x.b);
  const __m128i by4 = _mm_max_epi32(_mm256_castsi256_si128(by8), _mm256_extracti128_si256(by8, 1));
  const __m128i by2 = _mm_max_epi32(by4, _mm_shuffle_epi32(by4, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(by2, _mm_shuffle_epi32(by2, 0xb1)));
}

TROUPE_INLINE f32x16 swap_pairs(f32x16 x) {
  return {_mm256_permute_ps(x.a, 0xb1), _mm256_permute_ps(x.b, 0xb1)};
}
TROUPE_INLINE f32x16 negate_even(f32x16 x) {
  const __m256 signs = _mm256_castsi256_ps(_mm256_set1_epi64x(0x80000000));
  return {_mm256_xor_ps(x.a, signs), _mm256_xor_ps(x.b, signs)};
}
TROUPE_INLINE f32x16 load_each_twice(const float* p) {
  const __m256i lanes = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
  return {_mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), lanes),
          _mm256_permutevar8x32_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), lanes)};
}

TROUPE_INLINE u8x64 load_codes(const uint8_t* p) {
  return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)),
          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32))};
}
TROUPE_INLINE void store_codes(uint8_t* p, u8x64 x) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x.a);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 32), x.b);
}
TROUPE_INLINE u8x64 all_bytes(uint8_t x) { return {_mm256_set1_epi8(char(x)), _mm256_set1_epi8(char(x))}; }
TROUPE_INLINE u8x64 operator&(u8x64 x, u8x64 y) {
  return {_mm256_and_si256(x.a, y.a), _mm256_and_si256(x.b, y.b)};
}
TROUPE_INLINE u8x64 operator|(u8x64 x, u8x64 y) {
  return {_mm256_or_si256(x.a, y.a), _mm256_or_si256(x.b, y.b)};
}
template <int Bits>
TROUPE_INLINE u8x64 shift_pairs(u8x64 x) {
  if constexpr (Bits >= 0)
    return {_mm256_slli_epi16(x.a, Bits), _mm256_slli_epi16(x.b, Bits)};
  else
    return {_mm256_srli_epi16(x.a, -Bits), _mm256_srli_epi16(x.b, -Bits)};
}

TROUPE_INLINE u8x64 look_up(const uint8_t* table, u8x64 indices) {
  const __m256i values = _mm256_broadcastsi128_si256(load_128(table));
  return {_mm256_shuffle_epi8(values, indices.a), _mm256_shuffle_epi8(values, indices.b)};
}

TROUPE_INLINE i32x16 broadcast_codes(const int8_t* p) {
  int32_t four;
  __builtin_memcpy(&four, p, 4);
  return all_lanes(four);
}

/// maddubs adds two products in saturating 16 bits. Codes below 64 cannot reach that: 2 * 63 * 127 < 32768.
/// 8-bit codes are made signed first (so 128 is removed here, not by the caller) and multiplied as |w| times
/// x with w's sign: 2 * 128 * 127 < 32768.
template <int CodeBits>
TROUPE_INLINE __m256i dot_half(__m256i sum, __m256i w, __m256i x) {
  const __m256i ones = _mm256_set1_epi16(1);
  if constexpr (CodeBits == 8) {
    const __m256i is_signed = _mm256_xor_si256(w, _mm256_set1_epi8(char(128)));
    x = _mm256_sign_epi8(x, is_signed);
    w = _mm256_abs_epi8(is_signed);
  }
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(w, x), ones));
}
template <int CodeBits>
TROUPE_INLINE i32x16 dot_codes(i32x16 sum, u8x64 w, i32x16 x) {
  return {dot_half<CodeBits>(sum.a, w.a, x.a), dot_half<CodeBits>(sum.b, w.b, x.b)};
}
constexpr bool dot_removes_128 = true;

TROUPE_INLINE __m256i dot_words_half(__m256i sum, const int16_t* w, const int8_t* x) {
  const __m256i wide = _mm256_cvtepi8_epi16(load_128(x));
  const __m256i w_words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(w_words, wide));
}
TROUPE_INLINE i32x16 dot_words(i32x16 sum, const int16_t* w, const int8_t* x) {
  return {dot_words_half(sum.a, w, x), dot_words_half(sum.b, w + 16, x + 16)};
}

constexpr bool has_tile_registers = false;

} // namespace troupe::TROUPE_ISA
