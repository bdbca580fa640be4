#include "model/kernels/quantize.hpp"
#include "model/error.hpp"
#include "model/kernels/half.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>

namespace troupe {
namespace {

void append(std::vector<std::byte>& to, const void* what, size_t bytes) {
  const auto* from = static_cast<const std::byte*>(what);
  to.insert(to.end(), from, from + bytes);
}

void append_q8_0(std::vector<std::byte>& to, std::span<const float> block) {
  float largest = 0;
  for (const float value : block) {
    TROUPE_ASSERT(std::isfinite(value));
    largest = std::max(largest, std::abs(value));
  }
  const float scale = largest / 127, inverse = scale != 0 ? 1 / scale : 0;
  const uint16_t half = half_of_float(scale);
  append(to, &half, sizeof half);
  for (const float value : block) {
    // 127 at most, but for scales so small that their inverse is infinite: then the scale is stored as 0.
    const auto code = static_cast<int8_t>(std::clamp(std::round(value * inverse), -127.0f, 127.0f));
    append(to, &code, sizeof code);
  }
}

} // namespace

bool can_quantize(tensor_type type) {
  return type == tensor_type::f32 || type == tensor_type::f16 || type == tensor_type::q8_0;
}

std::vector<std::byte> quantize(tensor_type type, std::span<const float> values) {
  TROUPE_ASSERT(can_quantize(type));
  const auto& traits = traits_of(type);
  TROUPE_ASSERT(values.size() % traits.block_elements == 0);
  std::vector<std::byte> bytes;
  bytes.reserve(values.size() / traits.block_elements * traits.block_bytes);
  if (type == tensor_type::f32) append(bytes, values.data(), values.size_bytes());
  if (type == tensor_type::f16) {
    for (const float value : values) {
      const uint16_t half = half_of_float(value);
      append(bytes, &half, sizeof half);
    }
  }
  if (type == tensor_type::q8_0) {
    for (size_t i = 0; i < values.size(); i += traits.block_elements)
      append_q8_0(bytes, values.subspan(i, traits.block_elements));
  }
  return bytes;
}

} // namespace troupe
