// Claims: a checked product has the bits of the unchecked one; it raises no false alarm; it finds every single wrong bit of an
// int32 accumulator, of a weight, and of the sums themselves.
#include "model/kernels/kernel_support.hpp"
#include "model/kernels/attention.hpp"
#include "model/kernels/faulty_product.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

struct checked_result {
  bool is_right;
  std::vector<float> out;
};

checked_result checked_product_of(const packed_matrix& w, const_rows x, std::span<const float> bias = {}) {
  operand input;
  input.assign(x, w.wants());
  checked_result result{false, std::vector<float>(uint64_t(x.rows) * w.rows(), std::nanf(""))};
  std::vector<uint32_t> scratch;
  result.is_right = multiply_checked(w, input, bias, {result.out.data(), x.rows, w.rows(), w.rows()}, scratch);
  return result;
}

uint32_t some_columns(tensor_type type, random_bits& random) {
  return traits_of(type).block_elements == 256 ? 256 * (1 + random.below(3)) : 32 * (1 + random.below(12));
}

} // namespace

TEST_CASE("a checked product has the bits of an unchecked one, and no false alarm in thousands", "[kernels][detection]") {
  const isa_guard guard;
  random_bits random(31);
  size_t products = 0;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const tensor_type type : all_types)
      for (int i = 0; i < 120; ++i) {
        const uint32_t rows = 1 + random.below(i % 10 == 0 ? 40 : 9) + (i % 10 == 5) * 63, outputs = 1 + random.below(150);
        const uint32_t columns = is_quantized(type) ? some_columns(type, random) : 1 + random.below(200);
        // Also weights of any bit pattern: with scales that are not finite the result is not, and still no alarm.
        const owned_tensor w =
          i % 4 == 0 ? wild_tensor(type, outputs, columns, random) : random_tensor(type, outputs, columns, random);
        const std::vector<float> x = random.units(rows * columns, 4.0f), bias = random.units(outputs);
        const auto matrix = packed_matrix::pack(w.view, kept_sums::columns);
        INFO(traits_of(type).name << " " << outputs << " x " << columns << ", " << rows << " rows on " << isa);
        const auto result = checked_product_of(*matrix, rows_of(x, rows), bias);
        REQUIRE(result.is_right);
        REQUIRE(same_bits(result.out, product_of(*packed_matrix::pack(w.view), rows_of(x, rows), bias)));
        REQUIRE(matrix->is_intact());
        ++products;
      }
  }
  REQUIRE(products >= 1000);
}

TEST_CASE("activations that are not finite raise no alarm: they are found elsewhere", "[kernels][detection]") {
  random_bits random(32);
  const owned_tensor w = random_tensor(tensor_type::q8_0, 70, 96, random);
  std::vector<float> x = random.units(2 * 96);
  x[5] = std::nanf("");
  x[100] = INFINITY;
  REQUIRE(checked_product_of(*packed_matrix::pack(w.view, kept_sums::columns), rows_of(x, 2)).is_right);
}

TEST_CASE("every single wrong bit of an int32 accumulator is found", "[kernels][detection]") {
  const isa_guard guard;
  random_bits random(33);
  for (const std::string& isa : available_isas())
    for (const tensor_type type : {tensor_type::q8_0, tensor_type::q4_k, tensor_type::q6_k})
      for (const uint32_t rows : {1u, 3u, 7u}) {
        pin_isa(isa);
        const uint32_t outputs = type == tensor_type::q8_0 ? 85 : 37, columns = type == tensor_type::q8_0 ? 96 : 256;
        const owned_tensor w = random_tensor(type, outputs, columns, random);
        const std::vector<float> x = random.units(rows * columns);
        const auto matrix = packed_matrix::pack(w.view, kept_sums::columns);
        const auto good = product_of(*matrix, rows_of(x, rows));
        operand input;
        input.assign(rows_of(x, rows), matrix->wants());
        std::vector<float> out(rows * outputs);
        std::vector<uint32_t> totals(rows);
        const product task{*matrix, input, nullptr, rows_of(out, rows)};
        size_t injected = 0, found = 0, harmless = 0;
        const bool is_long = rows > 1; // Fewer positions then: the bits and lanes stay complete.
        for (uint32_t column = 0; column < outputs; column += is_long ? 32 : 16)
          for (uint32_t row = 0; row < 6; ++row)
            for (uint32_t block = 0; block < columns / 32; block += is_long ? 5 : 1)
              for (uint32_t lane = 0; lane < 16; ++lane)
                for (uint32_t bit = 0; bit < 32; ++bit) {
                  accumulator_fault fault{column, row, block, lane, bit};
                  const bool is_right = faulty_product(isa, task, totals.data(), fault);
                  if (!fault.was_injected) continue;
                  ++injected;
                  found += !is_right;
                  // A repetition at the end of a tile, which is not stored.
                  harmless += is_right && same_bits(out, good);
                }
        INFO(isa << " " << traits_of(type).name << " " << rows << " rows: " << injected << " injected, " << found << " found");
        REQUIRE(injected >= 16 * 32);
        REQUIRE(found >= 16 * 32);
        REQUIRE(found + harmless == injected);
        if (rows == 1) REQUIRE(harmless == 0);
      }
}

TEST_CASE("every single wrong bit of a dot from tile registers is found", "[kernels][detection]") {
  if (!is_available("amx")) TROUPE_SKIP("no tile registers here");
  const isa_guard guard;
  pin_isa("amx");
  random_bits random(37);
  for (const tensor_type type : {tensor_type::q8_0, tensor_type::q4_k, tensor_type::q6_k})
    for (const uint32_t rows : {64u, 77u}) { // Tiles of 32 rows; then one of 16 that lacks some.
      const uint32_t outputs = 85, columns = type == tensor_type::q8_0 ? 96 : 256; // An odd number of groups, in two strips.
      const owned_tensor w = random_tensor(type, outputs, columns, random);
      const std::vector<float> x = random.units(rows * columns);
      const auto matrix = packed_matrix::pack(w.view, kept_sums::columns);
      operand input;
      input.assign(rows_of(x, rows), matrix->wants());
      std::vector<float> out(rows * outputs);
      std::vector<uint32_t> totals(rows);
      const product task{*matrix, input, nullptr, rows_of(out, rows)};
      size_t injected = 0, found = 0, wanted = 0;
      for (uint32_t column = 0; column < outputs; column += 16)
        for (const uint32_t row : {0u, 7u, 16u, 31u}) {
          for (uint32_t block = 0; block < columns / 32; ++block)
            for (uint32_t lane = 0; lane < 16; ++lane)
              for (uint32_t bit = lane % 5; bit < 32; bit += 5) {
                accumulator_fault fault{column, row, block, lane, bit};
                found += !faulty_product("amx", task, totals.data(), fault);
                injected += fault.was_injected;
                ++wanted;
              }
        }
      INFO(traits_of(type).name << " " << rows << " rows: " << injected << " injected, " << found << " found");
      REQUIRE(injected == wanted);
      REQUIRE(found == injected);
      accumulator_fault none{outputs + 16, 0, 0, 0, 0};
      REQUIRE(faulty_product("amx", task, totals.data(), none));
    }
}

TEST_CASE("every single wrong bit of packed weights is found by their sums, and by any product whose result it changes",
          "[kernels][detection]") {
  const isa_guard guard;
  random_bits random(34);
  for (const tensor_type type : all_types) {
    const uint32_t outputs = 70, columns = traits_of(type).block_elements == 256 ? 256 : 64, rows = 3;
    const owned_tensor w = random_tensor(type, outputs, columns, random);
    const std::vector<float> x = random.units(rows * columns);
    const auto matrix = packed_matrix::pack(w.view, kept_sums::columns);
    const auto good = product_of(*matrix, rows_of(x, rows));
    const auto bytes = matrix->all_bytes();
    const uint64_t step = bytes.size() > 6000 ? 7 : 1; // A prime, so that all bits of a word occur.
    uint64_t unseen = 0, wrong_and_unseen = 0, injected = 0;
    for (uint64_t bit = 0; bit < bytes.size() * 8; bit += step, ++injected) {
      pin_isa(available_isas()[bit % available_isas().size()]);
      bytes[bit / 8] ^= uint8_t(1u << bit % 8);
      unseen += matrix->is_intact();
      const auto result = checked_product_of(*matrix, rows_of(x, rows));
      wrong_and_unseen += result.is_right && !same_bits(result.out, good);
      bytes[bit / 8] ^= uint8_t(1u << bit % 8);
    }
    INFO(traits_of(type).name << ": " << injected << " bits");
    REQUIRE(unseen == 0);
    REQUIRE(wrong_and_unseen == 0);
    REQUIRE(matrix->is_intact());
  }
}

TEST_CASE("sums cost no memory unless they are asked for", "[kernels][detection]") {
  random_bits random(35);
  const owned_tensor w = random_tensor(tensor_type::q8_0, 256, 1024, random);
  REQUIRE(packed_matrix::packed_bytes(w.view) == packed_matrix::packed_bytes(w.view, kept_sums::words));
  const double more =
    double(packed_matrix::packed_bytes(w.view, kept_sums::columns)) / double(packed_matrix::packed_bytes(w.view));
  REQUIRE(more < 1.03);
  const auto without = packed_matrix::pack(w.view);
  REQUIRE(without->keeps() == kept_sums::none);
  REQUIRE(without->strips() == 0);
  REQUIRE(without->is_intact());
}

TEST_CASE("every single wrong bit of a key/value cache is found, and no right one is suspected", "[kernels][detection]") {
  random_bits random(36);
  for (const auto& [type, element_bits] : {std::pair(cache_type::f32, 32u), std::pair(cache_type::f16, 16u)}) {
    const uint32_t head_dim = 6, length = 70;
    kv_cache cache(head_dim, type, true), without(head_dim, type);
    for (uint32_t position = 0; position < length; ++position) {
      const auto key = random.units(head_dim), value = random.units(head_dim);
      cache.write(position, key, value);
      without.write(position, key, value);
      REQUIRE(cache.is_intact());
    }
    const uint64_t bits = uint64_t(length) * element_bits * 2 * head_dim;
    for (uint64_t bit = 0; bit < bits; ++bit) {
      cache.flip_bit(bit);
      REQUIRE_FALSE(cache.is_intact());
      cache.flip_bit(bit);
      REQUIRE(cache.is_intact());
    }
    cache.flip_bit(20); // Writing a position again replaces what was wrong in it.
    for (uint32_t position = 0; position < length; ++position)
      cache.write(position, random.units(head_dim), random.units(head_dim));
    REQUIRE(cache.is_intact());
    without.flip_bit(3);
    REQUIRE(without.is_intact()); // No sums are kept, so nothing is found.
  }
}
