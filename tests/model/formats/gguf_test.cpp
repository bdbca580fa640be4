// Goal: what a GGUF file says is read as it says it; whatever is wrong with it is refused, naming file, place
// and reason. The files are made byte by byte, so that they can be wrong in exactly one way.
#include "model/error.hpp"
#include "model/formats/gguf.hpp"
#include "model/formats/gguf_content.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <functional>

using namespace troupe;
using namespace troupe::testing;

namespace {

gguf open(const std::string& bytes) {
  return gguf(std::make_shared<const input_file>(write_temporary(bytes, ".gguf")));
}

/// Opening throws input_error, its text has the path and the reason, and next to nothing was allocated.
void require_refused(const std::string& bytes, const std::string& reason) {
  const auto path = write_temporary(bytes, ".gguf");
  INFO("wanted: " << reason);
  const allocation_count count;
  CHECK_THROWS_AS(gguf(std::make_shared<const input_file>(path)), input_error);
  CHECK(count.peak_bytes() < 4 * bytes.size() + 65536);
  CHECK_THROWS_WITH(gguf(std::make_shared<const input_file>(path)),
                    ContainsSubstring(path.string() + ": ") && ContainsSubstring(reason));
}

gguf_builder file_with(const std::function<void(gguf_builder&)>& add) {
  gguf_builder file;
  add(file);
  return file;
}

constexpr uint32_t f32 = 0, q8_0 = 8;

} // namespace

TEST_CASE("metadata of every type reads as it was written") {
  gguf_builder file;
  file.add_raw("a.u8", 0, bytes_of(uint8_t(200)));
  file.add_raw("a.i8", 1, bytes_of(int8_t(-100)));
  file.add_raw("a.u16", 2, bytes_of(uint16_t(60000)));
  file.add_raw("a.i16", 3, bytes_of(int16_t(-30000)));
  file.add_u32("a.u32", 4000000000);
  file.add_i32("a.i32", -2000000000);
  file.add_f32("a.f32", 1.5f);
  file.add_bool("a.bool", true);
  file.add_string("a.string", "text ü");
  file.add_u64("a.u64", ~uint64_t(0));
  file.add_raw("a.i64", 11, bytes_of(int64_t(5)));
  file.add_raw("a.f64", 12, bytes_of(-0.25));
  file.add_strings("a.strings", {"one", "", "three"});
  file.add_ints("a.ints", {1, -2, 3});
  const gguf read = open(file.bytes());

  CHECK(read.version() == 3);
  CHECK(read.get_unsigned("a.u8") == 200);
  CHECK(read.get_number("a.i8") == -100);
  CHECK(read.get_unsigned("a.u16") == 60000);
  CHECK(read.get_number("a.i16") == -30000);
  CHECK(read.get_unsigned("a.u32") == 4000000000);
  CHECK(read.get_number("a.i32") == -2000000000);
  CHECK(read.get_number("a.f32") == 1.5);
  CHECK(read.find_bool("a.bool") == true);
  CHECK(read.get_string("a.string") == "text ü");
  CHECK(read.get_unsigned("a.u64") == ~uint64_t(0));
  CHECK(read.get_unsigned("a.i64") == 5);
  CHECK(read.get_number("a.f64") == -0.25);
  std::vector<std::string> strings;
  read.for_each_string("a.strings", *read.find_array("a.strings"),
                       [&](auto text) { strings.emplace_back(text); });
  CHECK(strings == std::vector<std::string>{"one", "", "three"});
  std::vector<double> numbers;
  read.for_each_number("a.ints", *read.find_array("a.ints"), [&](double value) { numbers.push_back(value); });
  CHECK(numbers == std::vector<double>{1, -2, 3});
  CHECK(read.find("a.other") == nullptr);
  CHECK(!read.find_unsigned("a.other"));
  CHECK(read.find_array("a.other") == nullptr);
}

TEST_CASE("a value of another kind than wanted is an error that names both") {
  gguf_builder file;
  file.add_string("llama.block_count", "six");
  file.add_i32("a.negative", -6);
  file.add_ints("a.ints", {1, 2});
  const gguf read = open(file.bytes());
  CHECK_THROWS_WITH(read.get_unsigned("llama.block_count"),
                    ContainsSubstring("llama.block_count: wanted an unsigned integer, found a string"));
  CHECK_THROWS_WITH(read.get_unsigned("a.negative"),
                    ContainsSubstring("wanted an unsigned integer, found the integer -6"));
  CHECK_THROWS_WITH(read.get_unsigned("a.ints"),
                    ContainsSubstring("found an array of 2 elements, each a signed integer"));
  CHECK_THROWS_WITH(read.get_unsigned("a.other"), ContainsSubstring("a.other: this key is missing"));
  CHECK_THROWS_WITH(read.get_number("llama.block_count"), ContainsSubstring("wanted a number"));
  CHECK_THROWS_WITH(read.get_string("a.ints"), ContainsSubstring("wanted a string"));
  CHECK_THROWS_WITH(read.find_bool("a.ints"), ContainsSubstring("wanted a boolean"));
  CHECK_THROWS_WITH(read.find_array("a.negative"), ContainsSubstring("wanted an array, found the integer -6"));
  const auto ignore = [](auto) {};
  CHECK_THROWS_WITH(read.for_each_string("a.ints", *read.find_array("a.ints"), ignore),
                    ContainsSubstring("wanted an array of strings"));
}

TEST_CASE("tensors are found by name, with the inner dimension as columns") {
  for (const uint32_t version : {2, 3}) {
    gguf_builder file;
    file.version = version;
    file.add_tensor("b", {4, 2, 3}, f32, std::string(96, 'b'));
    file.add_tensor("a", {64}, q8_0, std::string(68, 'a'));
    const gguf read = open(file.bytes());
    REQUIRE(read.tensors().size() == 2);
    CHECK(read.find_tensor("c") == nullptr);
    const gguf_tensor& a = *read.find_tensor("a");
    CHECK(a.type == tensor_type::q8_0);
    CHECK(a.rows == 1);
    CHECK(a.columns == 64);
    REQUIRE(a.bytes == 68);
    CHECK(content(read, a) == std::string(68, 'a'));
    const gguf_tensor& b = *read.find_tensor("b");
    CHECK(b.rows == 6);
    CHECK(b.columns == 4);
    REQUIRE(b.bytes == 96);
    CHECK(content(read, b) == std::string(96, 'b'));
  }
}

TEST_CASE("the data section begins where the file's own alignment says") {
  gguf_builder file;
  file.alignment = 256;
  file.add_u32("general.alignment", 256);
  file.add_tensor("a", {8}, f32, std::string(32, 'a'));
  file.add_tensor("b", {8}, f32, std::string(32, 'b'));
  const gguf read = open(file.bytes());
  CHECK(read.alignment() == 256);
  CHECK(content(read, *read.find_tensor("a")) == std::string(32, 'a'));
  CHECK(content(read, *read.find_tensor("b")) == std::string(32, 'b'));
}

TEST_CASE("a file that cannot be read is an input error with the system's reason") {
  CHECK_THROWS_AS(input_file("/no/such/file"), input_error);
  CHECK_THROWS_WITH(input_file("/no/such/file"), ContainsSubstring("/no/such/file: ") && ContainsSubstring("No such file"));
  CHECK_THROWS_WITH(input_file("/tmp"), ContainsSubstring("directory"));
  CHECK_THROWS_WITH(input_file("/dev/null"), ContainsSubstring("not a regular file"));
  require_refused("", "not a GGUF file");
}

TEST_CASE("headers of other files and versions are refused") {
  require_refused("GGU", "not a GGUF file");
  require_refused("GGML" + std::string(100, '\0'), "not a GGUF file");
  require_refused(std::string(100, '\0'), "not a GGUF file");
  require_refused("GGUF", "the version needs 4 bytes");
  const auto version = [](uint32_t number) {
    gguf_builder file;
    file.version = number;
    return file.bytes();
  };
  require_refused(version(0), "version 0 is not supported");
  require_refused(version(1), "version 1 is not supported; wanted 2 or 3");
  require_refused(version(99), "version 99 is not supported");
  require_refused(version(0x03000000), "big-endian");
}

TEST_CASE("counts that the file cannot hold are refused before anything is allocated") {
  const gguf_builder file = file_with([](auto& f) { f.add_u32("a", 1); });
  require_refused(file.header(uint64_t(1) << 63, 1), "claims 9223372036854775808 tensors");
  require_refused(file.header(0, ~uint64_t(0)), "claims 18446744073709551615 metadata entries");
  require_refused(file.header(0, 3), "claims 3 metadata entries");
  require_refused(file.header(2, 1), "claims 2 tensors");
  require_refused(file.header(0, 1).substr(0, 27), "claims 1 metadata entries");
  require_refused(file.header(0, 1).substr(0, 40),
                  "needs 4 bytes at offset 37, but the file has only 3 left");
}

TEST_CASE(
    "lengths of strings and arrays that the file cannot hold are refused before anything is allocated") {
  const auto raw = [](uint32_t type, const std::string& bytes) {
    return file_with([&](auto& f) { f.add_raw("key", type, bytes); }).header();
  };
  const uint64_t huge = uint64_t(1) << 62;
  require_refused(raw(8, bytes_of(huge)), "\"key\": a string needs 4611686018427387904 bytes");
  require_refused(raw(8, bytes_of(~uint64_t(0)) + "abc"), "only 3 left");
  require_refused(raw(9, bytes_of(uint32_t(8)) + bytes_of(huge)), "an array of 4611686018427387904 strings");
  require_refused(raw(9, bytes_of(uint32_t(4)) + bytes_of(huge)), "an array of 4611686018427387904 elements");
  require_refused(raw(9, bytes_of(uint32_t(10)) + bytes_of(~uint64_t(0))),
                  "does not fit into the 0 bytes left");
  require_refused(raw(9, bytes_of(uint32_t(8)) + bytes_of(uint64_t(2)) + length_and("a") + bytes_of(huge)),
                  "a string needs");
  require_refused(raw(9, bytes_of(uint32_t(9)) + bytes_of(uint64_t(1)) + bytes_of(uint32_t(9))),
                  "arrays of arrays are not supported");
  require_refused(raw(9, bytes_of(uint32_t(77)) + bytes_of(uint64_t(1)) + "abcd"), "unknown element type 77");
  require_refused(raw(13, "abcd"), "unknown value type 13");
  require_refused(raw(7, std::string(1, '\2')), "a boolean must be 0 or 1, found 2");
}

TEST_CASE("keys and tensors that appear twice, or have no name, are refused") {
  require_refused(file_with([](auto& f) { f.add_u32("key", 1), f.add_u32("key", 1); }).bytes(),
                  "key \"key\": appears twice");
  require_refused(file_with([](auto& f) { f.add_u32("", 1); }).bytes(), "key \"\": its length is 0");
  const std::string data(16, 'x');
  require_refused(file_with([&](auto& f) {
                    f.add_tensor("t", {4}, f32, data);
                    f.add_tensor("t", {4}, f32, data);
                  }).bytes(),
                  "tensor \"t\": appears twice");
  require_refused(file_with([&](auto& f) { f.add_tensor("", {4}, f32, data); }).bytes(),
                  "its name has 0 bytes");
  require_refused(file_with([&](auto& f) { f.add_tensor(std::string(65, 'n'), {4}, f32, data); }).bytes(),
                  "its name has 65 bytes");
  require_refused(file_with([&](auto& f) { f.add_tensor("\x1b[2J\xff", {0}, f32, data); }).bytes(),
                  "tensor \"\\x1b[2J\\xff\"");
}

TEST_CASE("alignments that are not powers of two are refused") {
  for (const uint32_t alignment : {0u, 3u, 48u, 0x80000000u}) {
    require_refused(file_with([&](auto& f) { f.add_u32("general.alignment", alignment); }).bytes(),
                    "general.alignment: wanted a power of two");
  }
  require_refused(file_with([](auto& f) { f.add_string("general.alignment", "32"); }).bytes(),
                  "general.alignment: wanted an unsigned integer");
}

TEST_CASE("tensors with impossible shapes or types are refused") {
  const auto tensor = [](const std::vector<uint64_t>& dimensions, uint32_t type) {
    return file_with([&](auto& f) { f.add_tensor("t", dimensions, type, std::string(64, 'x')); }).bytes();
  };
  const uint64_t half = uint64_t(1) << 32;
  require_refused(tensor({}, f32), "has 0 dimensions");
  require_refused(tensor({1, 1, 1, 1, 1}, f32), "has 5 dimensions");
  require_refused(tensor({0}, f32), "one of its dimensions is 0");
  require_refused(tensor({4, 0}, f32), "one of its dimensions is 0");
  require_refused(tensor({4, half, half}, f32), "overflows 64 bits");
  require_refused(tensor({half, half}, f32), "overflows 64 bits");
  require_refused(tensor({uint64_t(1) << 62}, f32), "overflows 64 bits");
  require_refused(tensor({uint64_t(1) << 60}, f32), "beyond the end of the file");
  require_refused(tensor({33}, q8_0), "not whole blocks of 32, as Q8_0 wants");
  require_refused(tensor({16}, 4), "tensor type 4 is unknown or not supported");
  require_refused(tensor({16}, 0xffffffff), "tensor type 4294967295 is unknown");
}

TEST_CASE("tensors beyond the file, misaligned or overlapping are refused") {
  const std::string data(64, 'x');
  const auto at = [&](uint64_t offset) {
    return file_with([&](auto& f) { f.add_tensor_at("t", {8}, f32, offset, data); }).bytes();
  };
  CHECK(open(at(32)).tensors().size() == 1);
  require_refused(at(64), "lie beyond the end of the file");
  require_refused(at(uint64_t(1) << 40), "lie beyond the end of the file");
  require_refused(at(~uint64_t(0) - 31), "lie beyond the end of the file");
  require_refused(at(4), "not a multiple of the alignment 32");
  const gguf_builder overlap = file_with([&](auto& f) {
    f.add_tensor_at("a", {16}, f32, 0, data);
    f.add_tensor_at("b", {8}, f32, 32);
  });
  require_refused(overlap.bytes(), "tensor \"b\": overlaps with tensor \"a\"");
  // The data section itself begins beyond the end.
  const gguf_builder file = file_with([&](auto& f) { f.add_tensor("t", {8}, f32, data); });
  require_refused(file.header(), "lie beyond the end of the file");
}
