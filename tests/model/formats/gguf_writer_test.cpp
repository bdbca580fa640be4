// Goal: what is written is read back as it was given, however it comes in pieces. The header's encoding is gguf_test's, whose files
// are made with it.
#include "model/error.hpp"
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_writer.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/formats/gguf_content.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

std::vector<std::byte> counted(size_t size, uint8_t first) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = std::byte(uint8_t(first + i));
  return bytes;
}

gguf_header some_metadata() {
  gguf_header header;
  header.add_string("general.architecture", "llama");
  header.add_u32("llama.block_count", 7);
  return header;
}

const std::vector<gguf_plan> plan{{"b", tensor_type::f32, {3, 2}}, {"a", tensor_type::q8_0, {32, 3}}, {"c", tensor_type::f16, {5}}};

} // namespace

TEST_CASE("tensors written in pieces of any size read as they were given", "[gguf]") {
  const auto one = counted(24, 1), two = counted(102, 100), three = counted(10, 7);
  std::vector<std::byte> all = one;
  all.insert(all.end(), two.begin(), two.end());
  all.insert(all.end(), three.begin(), three.end());
  for (const size_t piece : {1, 24, 33, 1000}) {
    const auto folder = temporary_folder();
    gguf_writer writer(folder / "x.gguf", some_metadata(), plan);
    for (size_t i = 0; i < all.size(); i += piece)
      writer.write(std::span(all).subspan(i, std::min(piece, all.size() - i)));
    CHECK_FALSE(std::filesystem::exists(folder / "x.gguf"));
    writer.finish();
    const gguf file(std::make_shared<const input_file>(folder / "x.gguf"));
    CHECK(file.get_unsigned("llama.block_count") == 7);
    REQUIRE(file.tensors().size() == 3);
    const auto read = [&](const char* name) {
      const auto bytes = content(file, *file.find_tensor(name));
      const auto all_bytes = std::as_bytes(std::span(bytes));
      return std::vector<std::byte>(all_bytes.begin(), all_bytes.end());
    };
    CHECK(file.find_tensor("b")->rows == 2);
    CHECK(file.find_tensor("b")->columns == 3);
    CHECK(read("b") == one);
    CHECK(read("a") == two);
    CHECK(read("c") == three);
  }
}

TEST_CASE("a GGUF file that is not finished leaves nothing, and must be as planned", "[gguf]") {
  const auto folder = temporary_folder();
  {
    gguf_writer writer(folder / "x.gguf", some_metadata(), plan);
    writer.write(counted(24, 1));
    CHECK_THROWS_AS(writer.finish(), broken_invariant);
    CHECK_THROWS_AS(writer.write(counted(113, 1)), broken_invariant);
  }
  CHECK(std::filesystem::is_empty(folder));
  CHECK_THROWS_AS(gguf_writer(folder / "none" / "x.gguf", some_metadata(), plan), input_error);
}
