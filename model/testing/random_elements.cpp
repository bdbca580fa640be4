// Random tensor data in every format: random codes with sane scales, so that all bit patterns of the codes
// occur.
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <bit>
#include <cmath>
#include <stdexcept>

namespace troupe::testing {
namespace {

/// float32 to float16, ties to even; what is too large becomes infinite.
uint16_t half_of(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint16_t sign = uint16_t((bits >> 16) & 0x8000);
  const uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;  // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // Infinite, or rounds to it.
  // 2^-14 is the smallest normal half; below, the unit is 2^-24.
  if (magnitude < 0x38800000)
    return sign | uint16_t(std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f));
  const uint32_t rebased = magnitude - 0x38000000;
  return sign | uint16_t((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13);
}

uint16_t brain_of(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000) return uint16_t(bits >> 16) | 0x40;
  return uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

std::string random_codes(uint32_t count, raw_bits& bits) {
  std::string codes;
  for (uint32_t i = 0; i < count; ++i) codes += char(bits.next() & 0xff);
  return codes;
}

/// One block. `unit` is the wanted standard deviation; the constants are those of uniformly random codes.
std::string random_block(tensor_type type, float unit, raw_bits& bits) {
  const auto half = [](float value) { return bytes_of(half_of(value)); };
  switch (type) {
  case tensor_type::q8_0:
    return half(unit / 74) + random_codes(32, bits);
  case tensor_type::q4_0:
    return half(unit / 4.6f) + random_codes(16, bits);
  case tensor_type::q4_1:
    return half(unit / 4.6f) + half(-7.5f * unit / 4.6f) + random_codes(16, bits);
  case tensor_type::q5_0:
    return half(unit / 9.2f) + random_codes(20, bits);
  case tensor_type::q5_1:
    return half(unit / 9.2f) + half(-15.5f * unit / 9.2f) + random_codes(20, bits);
  // Scales and minima are random 6-bit codes too; both scales are chosen so that they cancel on average.
  case tensor_type::q4_k:
    return half(unit / 290) + half(7.5f * unit / 290) + random_codes(140, bits);
  case tensor_type::q5_k:
    return half(unit / 590) + half(15.5f * unit / 590) + random_codes(172, bits);
  case tensor_type::q6_k:
    return random_codes(208, bits) + half(unit / 1350);
  case tensor_type::q2_k:
    return random_codes(80, bits) + half(unit / 14) + half(1.5f * unit / 14);
  case tensor_type::q3_k:
    return random_codes(108, bits) + half(unit / 43);
  case tensor_type::iq4_nl:
    return half(unit / 68) + random_codes(16, bits);
  case tensor_type::iq4_xs:
    return half(unit / 1250) + random_codes(134, bits);
  default:
    break;
  }
  throw std::logic_error("not a block format");
}

std::string element(tensor_type type, float value) {
  if (type == tensor_type::f32) return bytes_of(value);
  return bytes_of(type == tensor_type::f16 ? half_of(value) : brain_of(value));
}

} // namespace

size_t scale_position(tensor_type type) {
  switch (type) {
  case tensor_type::q2_k:
    return 80;
  case tensor_type::q3_k:
    return 108;
  case tensor_type::q6_k:
    return 208;
  default:
    return 0;
  }
}

uint64_t raw_bits::next() {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

float raw_bits::uniform(float low, float high) {
  return low + (high - low) * (float(next() >> 40) * 0x1p-24f);
}

std::string random_elements(tensor_type type, uint64_t count, float deviation, raw_bits& bits,
                            std::optional<float> value) {
  const tensor_type_traits& traits = traits_of(type);
  std::string bytes;
  bytes.reserve(count / traits.block_elements * traits.block_bytes);
  const float reach = deviation * 1.7320508f; // A uniform distribution over [-reach, reach].
  for (uint64_t i = 0; i < count; i += traits.block_elements) {
    if (traits.block_elements == 1) {
      const float drawn = bits.uniform(-reach, reach);
      bytes += element(type, value.value_or(drawn));
      continue;
    }
    std::string block = random_block(type, deviation, bits);
    if (value) block.replace(scale_position(type), 2, bytes_of(half_of(*value)));
    bytes += block;
  }
  return bytes;
}

} // namespace troupe::testing
