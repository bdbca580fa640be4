// Claims: products follow their specification to the bit on every instruction set, and do not depend on how
// many rows there are or how W is cut.
#include "model/kernels/dequantize.hpp"
#include "model/kernels/kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/matrix.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Awkward widths a row of this type may have.
std::vector<uint32_t> column_counts(tensor_type type) {
  if (traits_of(type).block_elements == 256) return {256, 2304}; // The second is more than a panel.
  if (is_quantized(type)) return {32, 64, 2144, 544};
  return {1, 7, 172, 300, 512}; // Rows of 512 are so far apart that they are copied.
}

float exact_scale(std::span<const float> w, std::span<const float> x) {
  double sum = 0;
  for (size_t i = 0; i < w.size(); ++i) sum += std::abs(double(w[i]) * double(x[i]));
  return float(sum);
}

/// Of activations: few enough for kernels that are bound by memory and a rest; enough for tile registers, where the last tile is not full.
constexpr uint32_t few_rows = 13, many_rows = 69;

} // namespace

TEST_CASE("a product of quantised weights equals its specification bit for bit on every instruction set",
          "[kernels]") {
  const isa_guard guard;
  const uint64_t seed = 11;
  INFO("seed " << seed);
  for (const tensor_type type : all_types) {
    if (!is_quantized(type)) continue;
    for (const uint32_t columns : column_counts(type)) for (const uint32_t rows : {few_rows, many_rows}) {
      random_bits random(seed + columns);
      const uint32_t outputs = 37;
      const owned_tensor w = random_tensor(type, outputs, columns, random);
      const std::vector<float> x = random.units(rows * columns, 3.0f), bias = random.units(outputs);
      std::vector<float> expected(rows * outputs);
      multiply_reference(w.view, rows_of(x, rows), operand_kind::int8_blocks, bias, rows_of(expected, rows));
      for (const std::string& isa : available_isas()) {
        pin_isa(isa);
        INFO(traits_of(type).name << " columns " << columns << " rows " << rows << " on " << isa);
        const auto packed = packed_matrix::pack(w.view);
        REQUIRE(packed->wants() == operand_kind::int8_blocks);
        REQUIRE(same_bits(product_of(*packed, rows_of(x, rows), bias), expected));
      }
    }
  }
}

TEST_CASE("a product of int8 blocks is as near to the exact one as 8 bits allow", "[kernels]") {
  random_bits random(5);
  for (const tensor_type type : all_types) {
    if (!is_quantized(type)) continue;
    const uint32_t columns = 512, outputs = 16;
    const owned_tensor w = random_tensor(type, outputs, columns, random);
    const std::vector<float> x = random.units(columns);
    std::vector<float> exact(outputs);
    multiply_reference(w.view, rows_of(x, 1), operand_kind::float32, {}, rows_of(exact, 1));
    const auto y = product_of(*packed_matrix::pack(w.view), rows_of(x, 1));
    std::vector<float> row(columns);
    for (uint32_t n = 0; n < outputs; ++n) {
      dequantize_row(w.view, n, row);
      double largest = 0; // An activation is off by at most half of 1/127 of its block's largest, here <= 1.
      for (const float weight : row) largest += std::abs(double(weight)) * 0.5 / 127;
      INFO(traits_of(type).name << " output " << n);
      REQUIRE(std::abs(y[n] - exact[n]) <= largest + 1e-5 * exact_scale(row, x));
    }
  }
}

TEST_CASE("a product of plain weights is within rounding of the exact one, the same on every instruction set",
          "[kernels]") {
  const isa_guard guard;
  random_bits random(12);
  for (const tensor_type type : {tensor_type::f32, tensor_type::f16, tensor_type::bf16})
    for (const uint32_t columns : column_counts(type)) {
      const uint32_t rows = 15, outputs = 67;
      const owned_tensor w = random_tensor(type, outputs, columns, random);
      const std::vector<float> x = random.units(rows * columns), bias = random.units(outputs);
      std::vector<float> exact(rows * outputs), row(columns), first;
      multiply_reference(w.view, rows_of(x, rows), operand_kind::float32, bias, rows_of(exact, rows));
      const auto packed = packed_matrix::pack(w.view);
      REQUIRE(packed->wants() == operand_kind::float32);
      for (const std::string& isa : available_isas()) {
        pin_isa(isa);
        INFO(traits_of(type).name << " columns " << columns << " on " << isa);
        const auto y = product_of(*packed, rows_of(x, rows), bias);
        for (uint32_t r = 0; r < rows; ++r)
          for (uint32_t n = 0; n < outputs; ++n) {
            dequantize_row(w.view, n, row);
            const float magnitude = exact_scale(row, rows_of(x, rows).row(r)) + std::abs(bias[n]);
            const float tolerance = float(columns + 2) * 0x1p-24f * magnitude;
            REQUIRE(std::abs(y[r * outputs + n] - exact[r * outputs + n]) <= tolerance);
          }
        if (first.empty()) first = y;
        REQUIRE(same_bits(y, first));
      }
    }
}

TEST_CASE("a row alone has the bits it has among any number of others", "[kernels]") {
  const isa_guard guard;
  const uint64_t seed = 77;
  INFO("seed " << seed);
  random_bits random(seed);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const tensor_type type : all_types)
      for (const uint32_t columns : column_counts(type)) {
        const uint32_t most = 70, outputs = 1 + random.below(60);
        const owned_tensor w = random_tensor(type, outputs, columns, random);
        const auto packed = packed_matrix::pack(w.view);
        const std::vector<float> x = random.units(most * columns, 5.0f);
        std::vector<float> alone;
        for (uint32_t r = 0; r < most; ++r) {
          const auto y = product_of(*packed, {x.data() + r * columns, 1, columns, columns});
          alone.insert(alone.end(), y.begin(), y.end());
        }
        const bool is_slow = isa == "plain";
        for (uint32_t rows = 1; rows <= most; rows += is_slow ? 1 + random.below(20) : 1) {
          INFO(traits_of(type).name << " columns " << columns << " rows " << rows << " on " << isa);
          const auto y = product_of(*packed, {x.data(), rows, columns, columns});
          REQUIRE(same_bits(y, std::span(alone).first(y.size())));
        }
      }
  }
}

TEST_CASE("a slice of W gives the columns of the whole product, bit for bit", "[kernels]") {
  const isa_guard guard;
  random_bits random(3);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const tensor_type type : all_types) for (const uint32_t rows : {few_rows, many_rows}) {
      const uint32_t columns = column_counts(type).back(), outputs = 100;
      const owned_tensor w = random_tensor(type, outputs, columns, random);
      const std::vector<float> x = random.units(rows * columns);
      const auto whole = product_of(*packed_matrix::pack(w.view), rows_of(x, rows));
      for (int i = 0; i < 8; ++i) {
        const uint32_t first = random.below(outputs), count = 1 + random.below(outputs - first);
        INFO(traits_of(type).name << " rows " << first << " + " << count << " on " << isa);
        const auto part = product_of(*packed_matrix::pack(w.view.row_slice(first, count)), rows_of(x, rows));
        for (uint32_t r = 0; r < rows; ++r)
          REQUIRE(same_bits(std::span(part).subspan(r * count, count),
                            std::span(whole).subspan(r * outputs + first, count)));
      }
    }
  }
}

TEST_CASE("a product writes its columns and nothing else", "[kernels]") {
  const isa_guard guard;
  random_bits random(4);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const tensor_type type : {tensor_type::f16, tensor_type::q8_0})
      for (const uint32_t outputs : {1u, 15u, 17u, 33u}) for (const uint32_t rows : {few_rows, many_rows + outputs}) {
        const uint32_t columns = 1024, stride = 50;
        const owned_tensor w = random_tensor(type, outputs, columns, random);
        const auto packed = packed_matrix::pack(w.view);
        const std::vector<float> x = random.units(rows * columns);
        operand input;
        input.assign(rows_of(x, rows), packed->wants());
        std::vector<float> out(rows * stride, 42.0f);
        multiply(*packed, input, {}, {out.data(), rows, outputs, stride});
        for (uint32_t r = 0; r < rows; ++r)
          for (uint32_t n = outputs; n < stride; ++n) REQUIRE(out[r * stride + n] == 42.0f);
      }
  }
}

TEST_CASE("a non-finite activation makes all outputs of its row non-finite, and no other", "[kernels]") {
  const isa_guard guard;
  random_bits random(8);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const tensor_type type : all_types)
      for (const float poison : {std::nanf(""), HUGE_VALF}) for (const uint32_t rows : {8u, many_rows}) {
        const uint32_t columns = 256, outputs = 20, poisoned = random.below(rows);
        const owned_tensor w = random_tensor(type, outputs, columns, random);
        const auto packed = packed_matrix::pack(w.view);
        std::vector<float> x = random.units(rows * columns);
        const auto clean = product_of(*packed, rows_of(x, rows));
        x[poisoned * columns + random.below(columns)] = poison;
        const auto y = product_of(*packed, rows_of(x, rows));
        for (uint32_t i = 0; i < rows * outputs; ++i) {
          INFO(traits_of(type).name << " on " << isa << " element " << i);
          if (i / outputs == poisoned)
            REQUIRE(!std::isfinite(y[i]));
          else
            REQUIRE(same_bits(y[i], clean[i]));
        }
      }
  }
}

TEST_CASE("any bytes can be packed and multiplied, with the same result on every instruction set",
          "[kernels]") {
  const isa_guard guard;
  random_bits random(9);
  for (const tensor_type type : all_types) for (const uint32_t rows : {7u, many_rows}) {
    const uint32_t columns = 512, outputs = 40;
    const owned_tensor w = wild_tensor(type, outputs, columns, random);
    const std::vector<float> x = random.units(rows * columns);
    const auto packed = packed_matrix::pack(w.view);
    std::vector<float> first;
    for (const std::string& isa : available_isas()) {
      pin_isa(isa);
      INFO(traits_of(type).name << " on " << isa);
      const auto y = product_of(*packed, rows_of(x, rows));
      if (first.empty()) first = y;
      REQUIRE(same_bits(y, first));
    }
  }
}

TEST_CASE("activations are quantised as specified, the same on every instruction set", "[kernels]") {
  const isa_guard guard;
  random_bits random(21);
  std::vector<float> x = random.units(10 * 32 + 5);
  const auto set = [&](size_t block, float value) {
    std::fill_n(x.begin() + ptrdiff_t(block) * 32, 32, value);
  };
  set(1, 0.0f);
  set(2, 1e-42f); // Too small: zeros.
  set(3, 3e38f);  // The largest are fine.
  x[4 * 32 + 7] = HUGE_VALF;
  x[5 * 32 + 31] = std::nanf("");
  for (int i = 0; i < 32; ++i) // Ties: 0.5, 1.5, ... go to even.
    x[6 * 32 + i] = i == 0 ? 127.0f : float(i) + 0.5f;
  set(7, -1.0f);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    INFO("on " << isa);
    operand input;
    input.assign({x.data(), 1, uint32_t(x.size()), x.size()}, operand_kind::int8_blocks);
    REQUIRE(input.row_blocks() == 11);
    const int8_block* blocks = input.blocks(0);
    for (const size_t block : {1, 2}) {
      REQUIRE(blocks[block].scale == 0.0f);
      REQUIRE(blocks[block].codes[0] == 0);
    }
    REQUIRE(blocks[3].codes[0] == 127);
    REQUIRE(std::isfinite(blocks[3].scale));
    for (const size_t block : {4, 5}) {
      REQUIRE(std::isnan(blocks[block].scale));
      REQUIRE(std::isnan(blocks[block].scaled_sum));
    }
    REQUIRE(blocks[6].scale == 1.0f);
    for (int i = 1; i < 32; ++i) REQUIRE(blocks[6].codes[i] == (i + 1) / 2 * 2);
    REQUIRE(blocks[7].codes[31] == -127);
    REQUIRE(blocks[7].negative_sum == 32 * 127);
    REQUIRE(blocks[7].negative_first_half == 16 * 127);
    for (const size_t block : {0, 8, 9, 10}) { // The last has 5 columns.
      int sum = 0, first_half = 0;
      for (size_t i = 0; i < 32; ++i) {
        const float value = block * 32 + i < x.size() ? x[block * 32 + i] : 0.0f;
        REQUIRE(std::abs(float(blocks[block].codes[i]) * blocks[block].scale - value) <=
                0.501f * blocks[block].scale);
        sum += blocks[block].codes[i];
        first_half += i < 16 ? blocks[block].codes[i] : 0;
      }
      REQUIRE(blocks[block].negative_sum == -sum);
      REQUIRE(blocks[block].negative_first_half == -first_half);
      REQUIRE(blocks[block].scaled_sum == blocks[block].scale * float(sum));
    }
  }
}

TEST_CASE("packed weights take the memory that the header states", "[kernels]") {
  random_bits random(2);
  const std::pair<tensor_type, double> stated[] = {
      {tensor_type::f32, 32},     {tensor_type::f16, 16},     {tensor_type::bf16, 16},
      {tensor_type::q4_0, 4.5},   {tensor_type::q4_1, 5},     {tensor_type::q5_0, 5.5},
      {tensor_type::q5_1, 6},     {tensor_type::q8_0, 8.5},   {tensor_type::q2_k, 2.625},
      {tensor_type::q3_k, 3.5625}, {tensor_type::q4_k, 4.625}, {tensor_type::q5_k, 5.625},
      {tensor_type::q6_k, 6.5625}, {tensor_type::iq4_nl, 4.5}, {tensor_type::iq4_xs, 4.3125}};
  for (const auto& [type, bits] : stated) {
    const auto packed = packed_matrix::pack(random_tensor(type, 32, 512, random).view);
    REQUIRE(double(packed->bytes()) * 8 == bits * 32 * 512);
  }
}

TEST_CASE("a product refuses operands that do not fit", "[kernels]") {
  random_bits random(6);
  const owned_tensor w = random_tensor(tensor_type::q8_0, 4, 64, random);
  const auto packed = packed_matrix::pack(w.view);
  std::vector<float> x(64), wide(96), out(4);
  operand input;
  input.assign(rows_of(x, 1), operand_kind::float32);
  REQUIRE_THROWS_AS(multiply(*packed, input, {}, rows_of(out, 1)), broken_invariant);
  input.assign(rows_of(wide, 1), operand_kind::int8_blocks);
  REQUIRE_THROWS_AS(multiply(*packed, input, {}, rows_of(out, 1)), broken_invariant);
  input.assign(rows_of(x, 1), operand_kind::int8_blocks);
  REQUIRE_THROWS_AS(multiply(*packed, input, x, rows_of(out, 1)), broken_invariant);
  REQUIRE_NOTHROW(multiply(*packed, input, {}, rows_of(out, 1)));
}
