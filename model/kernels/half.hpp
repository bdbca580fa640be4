#pragma once
// 16-bit floating point in files, widened exactly. Plain C++ for any CPU; kernels have vector versions.
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

/// bfloat16 is the upper half of a float32.
inline float float_of_bfloat(uint16_t bfloat) { return std::bit_cast<float>(uint32_t(bfloat) << 16); }

} // namespace troupe
