// Goal: float32 becomes what llama.cpp's reference makes of it. Method: the definition of Q8_0 once more; files of the same weights in
// F32, F16 and Q8_0, which llama-quantize wrote.
#include "model/error.hpp"
#include "model/formats/gguf.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/half.hpp"
#include "model/kernels/quantize.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <cmath>
#include <cstring>
#include <limits>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::vector<float> random_values(size_t count, float scale, uint64_t seed) {
  raw_bits bits{seed};
  std::vector<float> values(count);
  for (float& value : values) value = bits.uniform(-scale, scale);
  return values;
}

int8_t code_of(const std::vector<std::byte>& bytes, size_t i) { return int8_t(bytes[i / 32 * 34 + 2 + i % 32]); }

gguf open(const std::filesystem::path& path) { return gguf(std::make_shared<const input_file>(path)); }

stored_tensor stored(const gguf& file, const gguf_tensor& tensor) {
  return {std::string(tensor.name), tensor.type, tensor.rows, tensor.columns, file.file(), tensor.offset};
}

} // namespace

TEST_CASE("float32 and float16 are written as they are and to the nearest", "[quantize]") {
  const auto values = random_values(64, 3, 1);
  const auto same = quantize(tensor_type::f32, values);
  REQUIRE(same.size() == 256);
  CHECK(std::memcmp(same.data(), values.data(), 256) == 0);
  const auto halves = quantize(tensor_type::f16, values);
  REQUIRE(halves.size() == 128);
  for (size_t i = 0; i < 64; ++i) {
    uint16_t half = 0;
    std::memcpy(&half, &halves[2 * i], 2);
    CHECK(half == half_of_float(values[i]));
  }
}

TEST_CASE("a block of Q8_0 has its largest value at 127 and rounds halves away from zero", "[quantize]") {
  std::vector<float> values(64, 0.0f); // Two blocks; the second is all zeros.
  values[0] = -127;
  values[1] = 2.5f;
  values[2] = -2.5f;
  values[3] = 3.49f;
  const auto bytes = quantize(tensor_type::q8_0, values);
  REQUIRE(bytes.size() == 68);
  CHECK(bytes[0] == std::byte(0x00));
  CHECK(bytes[1] == std::byte(0x3c)); // 1 as F16.
  CHECK(code_of(bytes, 0) == -127);
  CHECK(code_of(bytes, 1) == 3);
  CHECK(code_of(bytes, 2) == -3);
  CHECK(code_of(bytes, 3) == 3);
  for (size_t i = 34; i < 68; ++i) CHECK(bytes[i] == std::byte(0));
}

TEST_CASE("Q8_0 is off by half a step at most, and by what the scale loses in F16", "[quantize]") {
  for (const float scale : {1e-3f, 1.0f, 1000.0f}) {
    const auto values = random_values(32 * 50, scale, 2);
    const tensor_view view{"x", tensor_type::q8_0, 1, values.size(), {}};
    const auto bytes = quantize(tensor_type::q8_0, values);
    auto read = view;
    read.bytes = bytes;
    const auto back = dequantize(read);
    // The last term: small scales are subnormal in F16.
    for (size_t i = 0; i < values.size(); ++i)
      CHECK(std::abs(back[i] - values[i]) <= scale * (0.502f / 127 + 0x1p-11f) + 127 * 0x1p-25f);
  }
}

TEST_CASE("Q8_0 of values too small for a scale, and of types and values that are not possible", "[quantize]") {
  const std::vector<float> tiny(32, std::numeric_limits<float>::denorm_min());
  CHECK(quantize(tensor_type::q8_0, tiny).size() == 34);
  std::vector<float> infinite(32);
  infinite[5] = INFINITY;
  CHECK_THROWS_AS(quantize(tensor_type::q8_0, infinite), broken_invariant);
  CHECK_THROWS_AS(quantize(tensor_type::q8_0, std::vector<float>(31)), broken_invariant);
  CHECK_THROWS_AS(quantize(tensor_type::q4_0, tiny), broken_invariant);
  CHECK_FALSE(can_quantize(tensor_type::q4_0));
}

TEST_CASE("what llama-quantize wrote is written with the same bytes", "[quantize][conformance]") {
  const auto folder = references() / "gguf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  size_t compared = 0;
  for (const std::string name : {"llama256", "stories260K", "qwen2", "qwen3", "gpt2"}) {
    const gguf plain = open(folder / (name + "-f32.gguf"));
    for (const char* type : {"-q8_0.gguf", "-f16.gguf"}) {
      if (!std::filesystem::exists(folder / (name + type))) continue;
      const gguf other = open(folder / (name + type));
      for (const auto& tensor : other.tensors()) {
        if (!can_quantize(tensor.type)) continue;
        INFO(name << type << " " << tensor.name);
        const gguf_tensor* from = plain.find_tensor(tensor.name);
        REQUIRE(from != nullptr);
        REQUIRE(from->type == tensor_type::f32);
        const auto values = dequantize(stored(plain, *from));
        const auto bytes = quantize(tensor.type, values);
        CHECK(bytes == read_bytes(stored(other, tensor)));
        compared += tensor.type != tensor_type::f32;
      }
    }
  }
  CHECK(compared > 50);
  std::cout << compared << " tensors have llama-quantize's bytes\n";
}
