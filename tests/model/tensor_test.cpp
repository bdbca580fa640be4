// Dequantised rows against a second decoding of the formats, written element by element.
#include "model/kernels/dequantize.hpp"
#include "model/kernels/kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/half.hpp"
#include "model/tensor.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// binary16 by its definition.
double half_value(const uint8_t* p) {
  const int bits = p[0] | p[1] << 8, exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits & 0x8000 ? -1 : 1;
  if (exponent == 31) return fraction == 0 ? sign * HUGE_VAL : std::nan("");
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

int nibble(const uint8_t* bytes, int i, bool is_high) { return is_high ? bytes[i] / 16 : bytes[i] % 16; }

/// The six bits of scale (0..7) or minimum (8..15) `i` of a K block, from its 12 bytes.
int super_scale(const uint8_t* s, int i) {
  const bool is_minimum = i >= 8;
  const int j = i % 8;
  if (j < 4) return s[j + (is_minimum ? 4 : 0)] % 64;
  const int low = is_minimum ? s[j + 4] / 16 : s[j + 4] % 16;
  return low + s[j - (is_minimum ? 0 : 4)] / 64 * 16;
}

/// The values of the non-linear types' codes, as ggml-common.h lists them.
constexpr int nonlinear[] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};

double element_of_k(tensor_type type, const uint8_t* b, int i) {
  // Q2_K and Q3_K: a byte has bits of elements 32 apart, and the second half begins 32 bytes later.
  const auto pair_at = [&](int start) { return b[start + i / 128 * 32 + i % 32] >> (2 * (i / 32 % 4)) & 3; };
  if (type == tensor_type::q2_k)
    return half_value(b + 80) * (b[i / 16] % 16) * pair_at(16) - half_value(b + 82) * (b[i / 16] / 16);
  if (type == tensor_type::q3_k) {
    const int run = i / 16, low = nibble(b + 96, run % 8, run >= 8), high = b[104 + run % 4] >> (2 * (run / 4)) & 3;
    const bool has_third = (b[i % 32] >> (i / 32) & 1) == 1;
    return half_value(b + 108) * (low + 16 * high - 32) * (pair_at(32) - (has_third ? 0 : 4));
  }
  if (type == tensor_type::iq4_xs) {
    const int run = i / 32, low = nibble(b + 4, run / 2, run % 2 == 1), high = (b[2] | b[3] << 8) >> (2 * run) & 3;
    return half_value(b) * (low + 16 * high - 32) * nonlinear[nibble(b + 8 + run * 16, i % 16, i % 32 >= 16)];
  }
  if (type == tensor_type::q6_k) {
    const int half = i / 128, within = i % 128, quarter = within / 32, column = within % 32;
    const int low = nibble(b + half * 64, quarter % 2 * 32 + column, quarter >= 2);
    const int high = b[128 + half * 32 + column] >> (2 * quarter) & 3;
    return half_value(b + 208) * int8_t(b[192 + i / 16]) * (low + 16 * high - 32);
  }
  const bool is_five = type == tensor_type::q5_k;
  const uint8_t* nibbles = b + (is_five ? 48 : 16);
  int code = nibble(nibbles + i / 64 * 32, i % 32, i / 32 % 2 == 1);
  if (is_five) code += (b[16 + i % 32] >> (i / 32) & 1) * 16;
  return half_value(b) * super_scale(b + 4, i / 32) * code -
         half_value(b + 2) * super_scale(b + 4, 8 + i / 32);
}

/// Element i of a block, exactly.
double element_of(tensor_type type, const uint8_t* b, int i) {
  const auto nibble_at = [&](int start) { return nibble(b + start, i % 16, i >= 16); };
  const auto fifth_at = [&](int start) { return (b[start + i / 8] >> (i % 8) & 1) * 16; };
  switch (type) {
  case tensor_type::f32: {
    float value;
    std::memcpy(&value, b, sizeof value);
    return value;
  }
  case tensor_type::f16:
    return half_value(b);
  case tensor_type::bf16:
    return std::bit_cast<float>(uint32_t(b[0] << 16) | uint32_t(b[1]) << 24);
  case tensor_type::q4_0:
    return half_value(b) * (nibble_at(2) - 8);
  case tensor_type::q4_1:
    return half_value(b) * nibble_at(4) + half_value(b + 2);
  case tensor_type::q5_0:
    return half_value(b) * (nibble_at(6) + fifth_at(2) - 16);
  case tensor_type::q5_1:
    return half_value(b) * (nibble_at(8) + fifth_at(4)) + half_value(b + 2);
  case tensor_type::q8_0:
    return half_value(b) * int8_t(b[2 + i]);
  case tensor_type::iq4_nl:
    return half_value(b) * nonlinear[nibble_at(2)];
  default:
    return element_of_k(type, b, i);
  }
}

} // namespace

TEST_CASE("every type is dequantised to the nearest float32 of what its format defines", "[kernels]") {
  random_bits random(31);
  for (const tensor_type type : all_types)
    for (const bool is_wild : {false, true}) {
      const uint64_t rows = 5, columns = 768;
      const owned_tensor tensor =
          is_wild ? wild_tensor(type, rows, columns, random) : random_tensor(type, rows, columns, random);
      const tensor_type_traits& traits = traits_of(type);
      const std::vector<float> whole = dequantize(tensor.view);
      const auto* bytes = reinterpret_cast<const uint8_t*>(tensor.bytes.data());
      for (uint64_t i = 0; i < rows * columns; ++i) {
        const uint8_t* block = bytes + i / traits.block_elements * traits.block_bytes;
        INFO(traits.name << " element " << i);
        REQUIRE(same_bits(whole[i], float(element_of(type, block, int(i % traits.block_elements)))));
      }
    }
}

TEST_CASE("traits know the types of GGUF by number and size", "[kernels]") {
  REQUIRE(find_tensor_type(12)->name == "Q4_K");
  REQUIRE(find_tensor_type(30)->type == tensor_type::bf16);
  REQUIRE(find_tensor_type(4) == nullptr);
  REQUIRE(find_tensor_type(0xffffffff) == nullptr);
  REQUIRE((tensor_view{"", tensor_type::q8_0, 3, 64, {}}.row_bytes()) == 68);
  REQUIRE((tensor_view{"", tensor_type::q6_k, 3, 512, {}}.row_bytes()) == 420);
  REQUIRE((tensor_view{"", tensor_type::bf16, 3, 7, {}}.row_bytes()) == 14);
  REQUIRE_THROWS_AS((tensor_view{"", tensor_type::q8_0, 3, 33, {}}.row_bytes()), broken_invariant);
}

TEST_CASE("a slice of rows is those rows", "[kernels]") {
  random_bits random(32);
  const owned_tensor tensor = random_tensor(tensor_type::q4_k, 7, 256, random);
  const tensor_view slice = tensor.view.row_slice(2, 3);
  REQUIRE(slice.rows == 3);
  std::vector<float> a(256), b(256);
  for (uint64_t row = 0; row < 3; ++row) {
    dequantize_row(slice, row, a);
    dequantize_row(tensor.view, row + 2, b);
    REQUIRE(same_bits(a, b));
  }
  REQUIRE(tensor.view.row_slice(7, 0).bytes.empty());
  REQUIRE_THROWS_AS(tensor.view.row_slice(6, 2), broken_invariant);
  REQUIRE_THROWS_AS(dequantize_row(slice, 3, a), broken_invariant);
}

TEST_CASE("every binary16 is widened exactly", "[kernels]") {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint8_t bytes[] = {uint8_t(bits), uint8_t(bits >> 8)};
    REQUIRE(same_bits(float_of_half(uint16_t(bits)), float(half_value(bytes))));
  }
}
