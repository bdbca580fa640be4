#pragma once
#include <cstdint>
#include <vector>

namespace troupe::digits {

struct digit_image {
  uint32_t digit = 0; // 0 ... 9
  std::vector<uint8_t> pixels; // [size, size], row by row, from 0 (paper) to 255 (ink).
};

/// Image `index` of `seed`, of size x size pixels: the same on every machine, and independent of all others. Its digit is index modulo
/// 10. size >= 8.
digit_image make_digit_image(uint64_t seed, uint64_t index, uint32_t size);

} // namespace troupe::digits
