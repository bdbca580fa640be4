// Vectors of 16 lanes in plain C++, for any CPU, and the specification of what simd_avx2.hpp and
// simd_avx512.hpp do: the same names there give the same bits. Every operation is IEEE float32, rounded to
// nearest even, or 32-bit integer.
#pragma once
#include "model/kernels/half.hpp"
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#define TROUPE_INLINE inline

namespace troupe::TROUPE_ISA {

struct f32x16 {
  float v[16];
};
struct i32x16 {
  int32_t v[16];
};
/// 64 bytes: bytes 4i..4i+3 are weight codes of four columns, of the row in lane i.
struct u8x64 {
  uint8_t v[64];
};

template <class Vector, class Function>
TROUPE_INLINE Vector each_lane(Function function) {
  Vector result;
  for (int i = 0; i < int(std::size(result.v)); ++i) result.v[i] = function(i);
  return result;
}

TROUPE_INLINE f32x16 all_lanes(float x) {
  return each_lane<f32x16>([&](int) { return x; });
}
TROUPE_INLINE f32x16 zero_floats() { return all_lanes(0.0f); }
TROUPE_INLINE f32x16 load(const float* p) {
  return each_lane<f32x16>([&](int i) { return p[i]; });
}
/// The first n <= 16 lanes from memory, the others 0; reads no further.
TROUPE_INLINE f32x16 load_first(const float* p, uint32_t n) {
  return each_lane<f32x16>([&](int i) { return uint32_t(i) < n ? p[i] : 0.0f; });
}
TROUPE_INLINE void store_first(float* p, f32x16 x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) p[i] = x.v[i];
}
TROUPE_INLINE void store(float* p, f32x16 x) { store_first(p, x, 16); }
TROUPE_INLINE f32x16 operator+(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return a.v[i] + b.v[i]; });
}
TROUPE_INLINE f32x16 operator-(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return a.v[i] - b.v[i]; });
}
TROUPE_INLINE f32x16 operator*(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return a.v[i] * b.v[i]; });
}
TROUPE_INLINE f32x16 operator/(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return a.v[i] / b.v[i]; });
}
TROUPE_INLINE f32x16 square_root(f32x16 x) {
  return each_lane<f32x16>([&](int i) { return std::sqrt(x.v[i]); });
}
/// a * b + c, rounded once.
TROUPE_INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) {
  return each_lane<f32x16>([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
/// The second argument where either is NaN: max(limit, x) lets a NaN in x through.
TROUPE_INLINE float max_of(float a, float b) { return a > b ? a : b; }
TROUPE_INLINE f32x16 max(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return max_of(a.v[i], b.v[i]); });
}
TROUPE_INLINE f32x16 min(f32x16 a, f32x16 b) {
  return each_lane<f32x16>([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}

TROUPE_INLINE uint16_t u16_at(const void* p, int i) {
  uint16_t value;
  std::memcpy(&value, static_cast<const uint8_t*>(p) + 2 * i, 2);
  return value;
}
TROUPE_INLINE f32x16 load_half(const void* p) {
  return each_lane<f32x16>([&](int i) { return float_of_half(u16_at(p, i)); });
}
/// Rounds to binary16, see half_of_float.
TROUPE_INLINE void store_half(void* p, f32x16 x) {
  for (int i = 0; i < 16; ++i) {
    const uint16_t half = half_of_float(x.v[i]);
    std::memcpy(static_cast<uint8_t*>(p) + 2 * i, &half, 2);
  }
}
TROUPE_INLINE f32x16 load_bfloat(const void* p) {
  return each_lane<f32x16>([&](int i) { return float_of_bfloat(u16_at(p, i)); });
}
/// 16 unsigned bytes.
TROUPE_INLINE i32x16 widen_bytes(const void* p) {
  return each_lane<i32x16>([&](int i) { return int32_t(static_cast<const uint8_t*>(p)[i]); });
}
TROUPE_INLINE f32x16 load_unsigned_bytes(const void* p) {
  return each_lane<f32x16>([&](int i) { return float(static_cast<const uint8_t*>(p)[i]); });
}
TROUPE_INLINE f32x16 load_signed_bytes(const void* p) {
  return each_lane<f32x16>([&](int i) { return float(static_cast<const int8_t*>(p)[i]); });
}

TROUPE_INLINE i32x16 all_lanes(int32_t x) {
  return each_lane<i32x16>([&](int) { return x; });
}
// Sums wrap.
TROUPE_INLINE i32x16 operator+(i32x16 a, i32x16 b) {
  return each_lane<i32x16>([&](int i) { return int32_t(uint32_t(a.v[i]) + uint32_t(b.v[i])); });
}
TROUPE_INLINE i32x16 operator-(i32x16 a, i32x16 b) {
  return each_lane<i32x16>([&](int i) { return int32_t(uint32_t(a.v[i]) - uint32_t(b.v[i])); });
}
TROUPE_INLINE i32x16 operator&(i32x16 a, i32x16 b) {
  return each_lane<i32x16>([&](int i) { return a.v[i] & b.v[i]; });
}
TROUPE_INLINE i32x16 operator|(i32x16 a, i32x16 b) {
  return each_lane<i32x16>([&](int i) { return a.v[i] | b.v[i]; });
}
TROUPE_INLINE i32x16 max(i32x16 a, i32x16 b) {
  return each_lane<i32x16>([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
template <int Bits>
TROUPE_INLINE i32x16 shift_left(i32x16 x) {
  return each_lane<i32x16>([&](int i) { return int32_t(uint32_t(x.v[i]) << Bits); });
}
/// Arithmetic: keeps the sign.
template <int Bits>
TROUPE_INLINE i32x16 shift_right(i32x16 x) {
  return each_lane<i32x16>([&](int i) { return x.v[i] >> Bits; });
}
/// Ties to even; NaN and what does not fit give INT32_MIN.
TROUPE_INLINE i32x16 round_to_int(f32x16 x) {
  return each_lane<i32x16>([&](int i) {
    const bool fits = x.v[i] >= -0x1p31f && x.v[i] < 0x1p31f;
    return fits ? int32_t(std::nearbyint(x.v[i])) : INT32_MIN;
  });
}
TROUPE_INLINE f32x16 to_float(i32x16 x) {
  return each_lane<f32x16>([&](int i) { return float(x.v[i]); });
}
TROUPE_INLINE i32x16 bits_of(f32x16 x) {
  return each_lane<i32x16>([&](int i) { return std::bit_cast<int32_t>(x.v[i]); });
}
TROUPE_INLINE f32x16 float_of_bits(i32x16 x) {
  return each_lane<f32x16>([&](int i) { return std::bit_cast<float>(x.v[i]); });
}
/// `yes` where the sign bit of x is set.
TROUPE_INLINE f32x16 select_negative(f32x16 x, f32x16 yes, f32x16 no) {
  return each_lane<f32x16>([&](int i) { return std::signbit(x.v[i]) ? yes.v[i] : no.v[i]; });
}
/// 16 values in [-128, 127] as bytes.
TROUPE_INLINE void store_bytes(int8_t* p, i32x16 x) {
  for (int i = 0; i < 16; ++i) p[i] = int8_t(x.v[i]);
}

/// Lanes i and i + 8 first, then i and i + 4, i + 2, i + 1.
template <class Value, class Function>
TROUPE_INLINE Value reduce(const Value (&lanes)[16], Function function) {
  Value values[16];
  std::memcpy(values, lanes, sizeof values);
  for (int half = 8; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) values[i] = function(values[i], values[i + half]);
  return values[0];
}
TROUPE_INLINE float sum_of_lanes(f32x16 x) {
  return reduce(x.v, [](float a, float b) { return a + b; });
}
TROUPE_INLINE float max_of_lanes(f32x16 x) { return reduce(x.v, max_of); }
TROUPE_INLINE int32_t sum_of_lanes(i32x16 x) {
  return reduce(x.v, [](int32_t a, int32_t b) { return int32_t(uint32_t(a) + uint32_t(b)); });
}
TROUPE_INLINE int32_t max_of_lanes(i32x16 x) {
  return reduce(x.v, [](int32_t a, int32_t b) { return a > b ? a : b; });
}

/// Lanes 1, 0, 3, 2, ...
TROUPE_INLINE f32x16 swap_pairs(f32x16 x) {
  return each_lane<f32x16>([&](int i) { return x.v[i ^ 1]; });
}
TROUPE_INLINE f32x16 negate_even(f32x16 x) {
  return each_lane<f32x16>([&](int i) { return i % 2 == 0 ? -x.v[i] : x.v[i]; });
}
/// p[0], p[0], p[1], p[1], ... p[7], p[7].
TROUPE_INLINE f32x16 load_each_twice(const float* p) {
  return each_lane<f32x16>([&](int i) { return p[i / 2]; });
}

TROUPE_INLINE u8x64 load_codes(const uint8_t* p) {
  u8x64 result;
  std::memcpy(result.v, p, sizeof result.v);
  return result;
}
TROUPE_INLINE void store_codes(uint8_t* p, const u8x64& x) { std::memcpy(p, x.v, sizeof x.v); }
TROUPE_INLINE u8x64 all_bytes(uint8_t x) {
  return each_lane<u8x64>([&](int) { return x; });
}
TROUPE_INLINE u8x64 operator&(u8x64 a, u8x64 b) {
  return each_lane<u8x64>([&](int i) { return uint8_t(a.v[i] & b.v[i]); });
}
TROUPE_INLINE u8x64 operator|(u8x64 a, u8x64 b) {
  return each_lane<u8x64>([&](int i) { return uint8_t(a.v[i] | b.v[i]); });
}
/// Shifts bits left (or right, when negative) within pairs of bytes: x86 has no shift of single bytes.
/// Callers mask away what crosses from one byte to the next.
template <int Bits>
TROUPE_INLINE u8x64 shift_pairs(u8x64 x) {
  u8x64 result;
  for (int i = 0; i < 32; ++i) {
    const uint16_t pair = u16_at(x.v, i);
    const auto shifted = uint16_t(Bits >= 0 ? pair << (Bits & 15) : pair >> (-Bits & 15));
    std::memcpy(result.v + 2 * i, &shifted, 2);
  }
  return result;
}

/// table[index] for each byte; table: [16], indices below 16.
TROUPE_INLINE u8x64 look_up(const uint8_t* table, const u8x64& indices) {
  return each_lane<u8x64>([&](int i) { return table[indices.v[i]]; });
}

/// Four activation codes, the same in every lane.
TROUPE_INLINE i32x16 broadcast_codes(const int8_t* p) {
  int32_t four;
  std::memcpy(&four, p, 4);
  return all_lanes(four);
}
/// sum + the four products of unsigned weight codes and signed activation codes in each lane, exactly.
/// Where dot_removes_128 is true, 8-bit weight codes count as code - 128.
template <int CodeBits>
TROUPE_INLINE i32x16 dot_codes(i32x16 sum, const u8x64& w, i32x16 x) {
  int8_t codes[4];
  std::memcpy(codes, x.v, 4); // All lanes are alike.
  return each_lane<i32x16>([&](int i) {
    const uint8_t* four = w.v + 4 * i;
    return sum.v[i] + four[0] * codes[0] + four[1] * codes[1] + four[2] * codes[2] + four[3] * codes[3];
  });
}
constexpr bool dot_removes_128 = false;

/// sum + the products of 32 words with 32 activation codes, exactly, two in each lane; which in which may differ.
TROUPE_INLINE i32x16 dot_words(i32x16 sum, const int16_t* w, const int8_t* x) {
  return each_lane<i32x16>([&](int i) {
    return int32_t(uint32_t(sum.v[i]) + uint32_t(w[2 * i] * x[2 * i]) + uint32_t(w[2 * i + 1] * x[2 * i + 1]));
  });
}

constexpr bool has_tile_registers = false;

} // namespace troupe::TROUPE_ISA
