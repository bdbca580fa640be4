#pragma once
// 16-bit floating point: widened exactly, and rounded to. Plain C++ for any CPU; kernels have vector versions of widening.
#include <bit>
#include <cstdint>

namespace troupe {

/// IEEE binary16 to float32: exact, subnormals, infinities and NaN included.
inline float float_of_half(uint16_t half) {
  const uint32_t sign = uint32_t(half & 0x8000) << 16;
  const uint32_t magnitude = half & 0x7fff;
  if (magnitude >= 0x7c00) // Infinite or NaN.
    return std::bit_cast<float>(sign | 0x7f800000u | (magnitude & 0x3ff) << 13);
  if (magnitude < 0x400) { // Subnormal: magnitude * 2^-24, exact in float32.
    const float value = float(magnitude) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  return std::bit_cast<float>(sign | ((magnitude << 13) + (uint32_t(127 - 15) << 23)));
}

/// The nearest binary16, ties to even. What is finite stays finite: beyond the largest binary16, 65504, it is that. Infinity
/// and NaN stay what they are.
inline uint16_t half_of_float(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = uint16_t(bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477fe000) return sign | 0x7bff; // 65504.
  if (magnitude < 0x38800000) // Subnormal: the unit of the last place of numbers from 0.5 on is that of binary16's subnormals.
    return sign | uint16_t(std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000);
  magnitude += 0xfff + (magnitude >> 13 & 1); // 13 bits go; half of their range rounds up, or to even.
  return sign | uint16_t((magnitude - (uint32_t(127 - 15) << 23)) >> 13);
}

/// bfloat16 is the upper half of a float32.
inline float float_of_bfloat(uint16_t bfloat) { return std::bit_cast<float>(uint32_t(bfloat) << 16); }

} // namespace troupe
