#pragma once
// Random numbers, random tensors and comparisons of bits for the tests of kernels.
#include "model/kernels/isa.hpp"
#include "model/kernels/matrix.hpp"
#include "model/testing/tiny_model.hpp"
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace troupe::testing {

/// Raw bits of a seeded generator: the same on every library.
class random_bits {
public:
  explicit random_bits(uint64_t seed) : generator_(seed) {}
  uint64_t next() { return generator_(); }
  uint32_t below(uint32_t limit) { return uint32_t((next() >> 32) * limit >> 32); }
  /// In (-1, 1), 24 bits.
  float unit() { return float(int32_t(next() >> 40) - (1 << 23)) * 0x1p-23f; }
  std::vector<float> units(size_t count, float scale = 1.0f) {
    std::vector<float> values(count);
    for (float& value : values) value = unit() * scale;
    return values;
  }

private:
  std::mt19937_64 generator_;
};

constexpr tensor_type all_types[] = {tensor_type::f32,  tensor_type::f16,  tensor_type::bf16,
                                     tensor_type::q4_0, tensor_type::q4_1, tensor_type::q5_0,
                                     tensor_type::q5_1, tensor_type::q8_0, tensor_type::q2_k,
                                     tensor_type::q3_k, tensor_type::q4_k, tensor_type::q5_k,
                                     tensor_type::q6_k, tensor_type::iq4_nl, tensor_type::iq4_xs};

inline bool is_quantized(tensor_type type) { return traits_of(type).block_elements > 1; }

/// A tensor with its bytes.
struct owned_tensor {
  std::vector<std::byte> bytes;
  tensor_view view;
};

/// Any bit pattern, so scales may be NaN or infinite.
inline owned_tensor wild_tensor(tensor_type type, uint64_t rows, uint64_t columns, random_bits& random) {
  owned_tensor tensor;
  tensor.view = {"random", type, rows, columns, {}};
  tensor.bytes.resize(rows * tensor.view.row_bytes());
  for (std::byte& byte : tensor.bytes) byte = std::byte(random.next() >> 56);
  tensor.view.bytes = tensor.bytes;
  return tensor;
}

/// Elements of moderate size: every binary16 in it is in (-0.25, 0.25).
inline owned_tensor random_tensor(tensor_type type, uint64_t rows, uint64_t columns, random_bits& random) {
  owned_tensor tensor = wild_tensor(type, rows, columns, random);
  const tensor_type_traits& traits = traits_of(type);
  const auto tame_half = [&](uint64_t at) { // The exponent's upper bits: 0 to 12 of 31.
    tensor.bytes[at + 1] = (tensor.bytes[at + 1] & std::byte{0x83}) | std::byte(random.below(13) << 2);
  };
  for (uint64_t at = 0; at < tensor.bytes.size(); at += traits.block_bytes) {
    if (type == tensor_type::f32) {
      const float value = random.unit();
      std::memcpy(&tensor.bytes[at], &value, sizeof value);
    } else if (type == tensor_type::bf16) {
      tensor.bytes[at + 1] = (tensor.bytes[at + 1] & std::byte{0x80}) | std::byte(0x3c + random.below(3));
    } else {
      const uint64_t scale = at + (is_quantized(type) ? scale_position(type) : 0);
      tame_half(scale);
      const bool has_minimum = type == tensor_type::q4_1 || type == tensor_type::q5_1 || type == tensor_type::q2_k ||
                               type == tensor_type::q4_k || type == tensor_type::q5_k;
      if (has_minimum) tame_half(scale + 2);
    }
  }
  return tensor;
}

/// Equal bit for bit; all NaN are one.
inline bool same_bits(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}
inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (!same_bits(a[i], b[i])) return false;
  return true;
}

inline const_rows rows_of(const std::vector<float>& data, uint32_t rows) {
  const uint32_t columns = uint32_t(data.size() / rows);
  return {data.data(), rows, columns, columns};
}
inline mutable_rows rows_of(std::vector<float>& data, uint32_t rows) {
  const uint32_t columns = uint32_t(data.size() / rows);
  return {data.data(), rows, columns, columns};
}

/// W x for all rows: [rows, w.rows()].
inline std::vector<float> product_of(const packed_matrix& w, const_rows x, std::span<const float> bias = {}) {
  operand input;
  input.assign(x, w.wants());
  std::vector<float> out(uint64_t(x.rows) * w.rows(), std::nanf(""));
  multiply(w, input, bias, {out.data(), x.rows, w.rows(), w.rows()});
  return out;
}

inline bool is_available(const std::string& isa) {
  const auto isas = available_isas();
  return std::ranges::find(isas, isa) != isas.end();
}

/// Back to the instruction set that was in use, at the end of a test.
class isa_guard {
public:
  isa_guard() : before_(current_isa()) {}
  ~isa_guard() { pin_isa(before_); }
  isa_guard(const isa_guard&) = delete;

private:
  std::string before_;
};

} // namespace troupe::testing
