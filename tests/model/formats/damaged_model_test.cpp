// Goal: whatever happened to a model file, open_model either refuses it with an input_error that names file,
// place and reason, or yields a model that is consistent in all that later code relies on; and it never
// allocates more than in proportion to the file. Method: truncations and seeded bit flips of tiny models of
// every family, most of them in the header. The oracle is consistent_model.hpp, which derives every shape
// from the spec anew. TROUPE_SEED=n in the environment starts elsewhere.
#include "model/error.hpp"
#include "model/formats/gguf.hpp"
#include "model/model_file.hpp"
#include "model/formats/consistent_model.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <cstdlib>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

enum class outcome { opened, refused };

/// One file, written or cut over and over.
class target {
public:
  outcome open(const std::string& bytes) {
    std::ofstream(path_, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return open();
  }

  /// The file as it is, but with this length.
  outcome cut(uint64_t length) {
    std::filesystem::resize_file(path_, length);
    return open();
  }

private:
  outcome open() const {
    const allocation_count count;
    outcome result = outcome::opened;
    try {
      require_consistent(*open_model(path_));
    } catch (const input_error& error) {
      const std::string text = error.what();
      const bool names_all =
          text.starts_with(path_.string() + ": ") && text.size() > path_.string().size() + 10;
      require(names_all, "an error without path, place and reason: " + text);
      result = outcome::refused;
    }
    const uint64_t allowed = 4 * std::filesystem::file_size(path_) + (16 << 20);
    require(count.peak_bytes() <= allowed, "too much was allocated");
    return result;
  }

  std::filesystem::path path_ = temporary_path(".gguf");
};

uint64_t first_seed() {
  const char* text = std::getenv("TROUPE_SEED");
  return text == nullptr ? 1 : std::strtoull(text, nullptr, 10);
}

const std::vector<std::string> architectures{"llama", "qwen2", "qwen3", "gpt2"};

tiny_model_options smallest(const std::string& architecture) {
  tiny_model_options options;
  options.architecture = architecture;
  options.type = tensor_type::q8_0;
  options.layers = 1;
  options.width = options.feed_forward = 32;
  options.heads = 2;
  options.kv_heads = 1;
  options.vocabulary = 260;
  options.context = 16;
  return options;
}

/// Where the data section begins.
uint64_t header_bytes(const std::string& bytes) {
  const gguf file(std::make_shared<const input_file>(write_temporary(bytes, ".gguf")));
  uint64_t first = bytes.size();
  for (const auto& tensor : file.tensors()) {
    first = std::min(first, tensor.offset);
  }
  return first;
}

} // namespace

TEST_CASE("a model file cut at every 1,000th byte is refused") {
  target file;
  for (const auto& architecture : architectures) {
    INFO(architecture);
    const std::string whole = tiny_model_bytes({.architecture = architecture});
    REQUIRE(file.open(whole) == outcome::opened);
    const size_t cuts = (whole.size() + 999) / 1000;
    size_t refused = 0;
    for (size_t i = cuts; i > 0; --i) refused += file.cut((i - 1) * 1000) == outcome::refused;
    CHECK(refused == cuts);
    CHECK(cuts > 100);
  }
}

TEST_CASE("a model file cut anywhere in its header is refused") {
  target file;
  const std::string whole = tiny_model_bytes(smallest("llama"));
  REQUIRE(file.open(whole) == outcome::opened);
  const uint64_t header = header_bytes(whole);
  size_t refused = 0;
  for (uint64_t length = header; length > 0; --length) refused += file.cut(length - 1) == outcome::refused;
  CHECK(refused == header);
  CHECK(header > 4000);
}

TEST_CASE("10,000 flipped bits end in a clear error or a consistent model") {
  raw_bits bits{first_seed()};
  INFO("reproduce with TROUPE_SEED=" << first_seed());
  target file;
  size_t opened = 0, refused = 0;
  for (const auto& architecture : architectures) {
    const std::string whole = tiny_model_bytes(smallest(architecture));
    const uint64_t header = header_bytes(whole);
    for (int i = 0; i < 2500; ++i) {
      std::string damaged = whole;
      const uint64_t flips = 1 + bits.below(3);
      for (uint64_t k = 0; k < flips; ++k) {
        const bool in_header = bits.below(10) < 9;
        damaged[bits.below(in_header ? header : damaged.size())] ^= char(1 << bits.below(8));
      }
      (file.open(damaged) == outcome::opened ? opened : refused) += 1;
    }
  }
  // Both happen often, or this test tests nothing.
  CHECK(opened > 1000);
  CHECK(refused > 1000);
}

TEST_CASE("numbers in a header replaced by extreme ones end in a clear error or a consistent model") {
  raw_bits bits{first_seed() + 1};
  INFO("reproduce with TROUPE_SEED=" << first_seed());
  target file;
  size_t refused = 0;
  for (const auto& architecture : architectures) {
    const std::string whole = tiny_model_bytes(smallest(architecture));
    const uint64_t header = header_bytes(whole);
    for (int i = 0; i < 1000; ++i) {
      const uint64_t extremes[] = {0,
                                   1,
                                   7,
                                   0xffff,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   uint64_t(1) << 62,
                                   uint64_t(1) << 63,
                                   ~uint64_t(0),
                                   bits.next()};
      const std::string value = bytes_of(extremes[bits.below(std::size(extremes))]);
      const size_t width = size_t(1) << bits.below(4);
      std::string damaged = whole;
      damaged.replace(bits.below(header - 8), width, value.substr(0, width));
      refused += file.open(damaged) == outcome::refused;
    }
  }
  CHECK(refused > 1000);
}

TEST_CASE("a file that packs its header with the cheapest entries stays cheap to open") {
  target file;
  const auto refused = [&](const gguf_builder& builder) {
    return file.open(builder.bytes()) == outcome::refused;
  };
  gguf_builder keys, tensors;
  for (int i = 0; i < 60000; ++i) keys.add_raw("k" + std::to_string(i), 0, "x");
  for (int i = 0; i < 60000; ++i) tensors.add_tensor("t" + std::to_string(i), {1}, 0, "abcd");
  CHECK(refused(keys));
  CHECK(refused(tensors));
  for (int i = 0; i < 6000; ++i) keys.add_raw("l" + std::to_string(i), 0, "x");
  CHECK(refused(keys)); // More than any file may have.

  // The cheapest vocabulary for its file: rows of the smallest width, empty pieces.
  tiny_model_options options = smallest("llama");
  options.width = options.feed_forward = 8;
  options.heads = options.kv_heads = 1;
  options.head_dim = 8;
  options.type = tensor_type::f16;
  options.vocabulary = 400000;
  options.tied = true;
  options.without = {"tokenizer.ggml.tokens", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"};
  options.also = [](gguf_builder& b) {
    b.add_strings("tokenizer.ggml.tokens", std::vector<std::string>(400000));
  };
  CHECK(file.open(tiny_model_bytes(options)) == outcome::opened);
  options.also = [](gguf_builder& b) { b.add_strings("tokenizer.ggml.tokens", std::vector<std::string>(3)); };
  CHECK(file.open(tiny_model_bytes(options)) == outcome::opened);
}
