// Goal: what is written reads back the same; what other programs wrote reads too; what is damaged ends in a
// clear input_error. Headers are written out in the test, since the writer would refuse to make them.
#include "model/error.hpp"
#include "model/formats/safetensors.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include <fstream>
#include <numeric>

using namespace troupe;
using namespace troupe::testing;

namespace {

std::string file_of(const std::string& header, const std::string& data) { return length_and(header) + data; }

safetensors_reader open(const std::string& header, const std::string& data) {
  return safetensors_reader(write_temporary(file_of(header, data), ".safetensors"));
}

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

} // namespace

TEST_CASE("what the safetensors writer wrote in pieces reads back the same") {
  const auto path = temporary_path(".safetensors");
  std::vector<float> logits(3 * 5);
  std::iota(logits.begin(), logits.end(), -7.5f);
  const std::vector<int64_t> ids{1, -2, int64_t(1) << 62};
  {
    safetensors_writer writer(path, {{"logits", safetensors_type::float32, {1, 3, 5}},
                                     {"nothing", safetensors_type::float32, {0, 5}},
                                     {"ids \"quoted\" ü", safetensors_type::int64, {3}}});
    writer.write(std::span<const float>(logits).first(4));
    writer.write(std::span<const float>(logits).subspan(4));
    writer.write(std::span<const int64_t>(ids));
    CHECK(!std::filesystem::exists(path)); // A file that is not complete is not visible under its name.
    writer.finish();
  }
  const safetensors_reader reader(path);
  CHECK(reader.tensors().size() == 3);
  CHECK(reader.get("logits").shape == std::vector<uint64_t>{1, 3, 5});
  CHECK(reader.floats("logits") == logits);
  CHECK(reader.floats("nothing").empty());
  CHECK(reader.integers("ids \"quoted\" ü") == ids);
  CHECK(reader.find("others") == nullptr);
  CHECK_THROWS_WITH(reader.get("others"), ContainsSubstring("others") && ContainsSubstring("missing"));
  CHECK_THROWS_WITH(reader.integers("logits"), ContainsSubstring("wanted integers, found F32"));
  CHECK_THROWS_WITH(reader.floats("ids \"quoted\" ü"), ContainsSubstring("wanted floating-point numbers, found I64"));
}

TEST_CASE("a safetensors writer that does not finish leaves nothing behind") {
  const auto folder = temporary_folder();
  const auto path = folder / "a.safetensors";
  {
    safetensors_writer writer(path, {{"a", safetensors_type::float32, {2}}});
    CHECK_FALSE(std::filesystem::is_empty(folder));
  }
  CHECK(std::filesystem::is_empty(folder));
  safetensors_writer writer(path, {{"a", safetensors_type::float32, {2}}});
  CHECK_THROWS_AS(writer.finish(), broken_invariant);
  const std::vector<float> three(3);
  CHECK_THROWS_AS(writer.write(std::span<const float>(three)), broken_invariant);
}

TEST_CASE("a safetensors file that cannot be written is an input error") {
  CHECK_THROWS_AS(safetensors_writer("/no/such/folder/x", {}), input_error);
  const auto f32 = safetensors_type::float32;
  CHECK_THROWS_WITH(safetensors_writer(temporary_path(), {{"a", f32, {1}}, {"a", f32, {1}}}),
                    ContainsSubstring("taken"));
  CHECK_THROWS_WITH(safetensors_writer(temporary_path(), {{"a", f32, {1ull << 40, 1ull << 40}}}),
                    ContainsSubstring("overflows"));
}

TEST_CASE("integers of every type read as int64") {
  const auto read_as = [](const std::string& type, const std::string& data, size_t count) {
    const std::string header = R"({"x":{"dtype":")" + type + R"(","shape":[)" + std::to_string(count) +
                               R"(],"data_offsets":[0,)" + std::to_string(data.size()) + "]}}";
    return open(header, data).integers("x");
  };
  const auto check = [&](const std::string& type, const std::string& data,
                         const std::vector<int64_t>& wanted) {
    INFO(type);
    CHECK(read_as(type, data, wanted.size()) == wanted);
  };
  check("BOOL", std::string("\x00\x01", 2), {0, 1});
  check("U8", "\x01\xff", {1, 255});
  check("I8", "\x01\xff", {1, -1});
  check("U16", bytes_of(uint16_t(0xfffe)), {0xfffe});
  check("I16", bytes_of(int16_t(-2)), {-2});
  check("U32", bytes_of(uint32_t(0xfffffffe)), {0xfffffffe});
  check("I32", bytes_of(int32_t(-2)), {-2});
  check("I64", bytes_of(int64_t(-2)), {-2});
  check("U64", bytes_of(uint64_t(1) << 62), {int64_t(1) << 62});
  CHECK_THROWS_WITH(read_as("U64", bytes_of(uint64_t(1) << 63), 1), ContainsSubstring("2^63"));
}

TEST_CASE("floating-point numbers of every type read as float32") {
  const std::string header = R"({"b":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]},
    "d":{"dtype":"F64","shape":[1],"data_offsets":[0,8]},"h":{"dtype":"F16","shape":[],"data_offsets":[8,10]},
    "__metadata__":{"format":"pt"}})";
  const auto file = open(header, bytes_of(-1.5) + bytes_of(uint16_t(0x3800)) + bytes_of(uint16_t(0x3fc0)));
  CHECK(file.floats("d") == std::vector<float>{-1.5f});
  CHECK(file.floats("h") == std::vector<float>{0.5f});
  CHECK(file.floats("b") == std::vector<float>{1.5f});
}

TEST_CASE("damaged safetensors headers are refused with the reason") {
  const std::string data(8, '\0');
  const auto refused = [&](const std::string& header, const std::string& reason) {
    INFO(header);
    CHECK_THROWS_AS(open(header, data), input_error);
    CHECK_THROWS_WITH(open(header, data), ContainsSubstring(".safetensors: ") && ContainsSubstring(reason));
  };
  const auto tensor = [](const std::string& name, const std::string& type, const std::string& shape,
                         const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}";
  };
  CHECK(open("{" + tensor("a", "F32", "[2]", "[0,8]") + "}", data).tensors().size() == 1);
  refused("", "JSON");
  refused("{", "JSON");
  refused("[]", "wanted a JSON object");
  refused("{}", "belong to no tensor");
  refused("{\"a\":\"\xff\"}", "JSON");
  refused(R"({"a":1})", "wanted an object");
  refused(R"({"a":{"dtype":"F32","shape":[2]}})", "data_offsets is missing");
  refused(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", "dtype is missing");
  refused("{" + tensor("a", "F31", "[2]", "[0,8]") + "}", "\"F31\" is unknown");
  refused("{" + tensor("a", "F32", "2", "[0,8]") + "}", "wanted an array");
  refused("{" + tensor("a", "F32", "[2.0]", "[0,8]") + "}", "wanted integers");
  refused("{" + tensor("a", "F32", "[-2]", "[0,8]") + "}", "wanted integers");
  refused("{" + tensor("a", "F32", "[3]", "[0,8]") + "}", "has 8 bytes; its type and shape want 12");
  refused("{" + tensor("a", "F32", "[2]", "[0,8,8]") + "}", "wanted two numbers");
  refused("{" + tensor("a", "F32", "[2]", "[8,0]") + "}", "not within");
  refused("{" + tensor("a", "F32", "[2]", "[4,12]") + "}", "not within");
  refused("{" + tensor("a", "F32", "[2]", "[18446744073709551608,18446744073709551615]") + "}", "not within");
  refused("{" + tensor("a", "F32", "[4294967296,4294967296]", "[0,8]") + "}", "overflows");
  refused("{" + tensor("a", "F32", "[1]", "[4,8]") + "}", "gap");
  refused("{" + tensor("a", "F32", "[1]", "[0,4]") + "}", "belong to no tensor");
  refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("b", "F32", "[1]", "[4,8]") + "}",
          "overlaps");
  refused("{" + tensor("a", "F32", "[2]", "[0,8]") + "," + tensor("a", "F32", "[2]", "[0,8]") + "}", "twice");
  refused(std::string(100000, '['), "nested too deeply");
}

TEST_CASE("safetensors header lengths beyond the file or beyond reason are refused") {
  const auto refused = [](const std::string& bytes, const std::string& reason) {
    CHECK_THROWS_WITH(safetensors_reader(write_temporary(bytes)), ContainsSubstring(reason));
  };
  refused("", "fewer than 8 bytes");
  refused("1234567", "fewer than 8 bytes");
  refused(bytes_of(uint64_t(100)) + "{}", "only 2 left");
  refused(bytes_of(~uint64_t(0)) + "{}", "at most");
}

TEST_CASE("a safetensors file cut or flipped anywhere reads or is refused, and never crashes") {
  const auto path = temporary_path(".safetensors");
  {
    safetensors_writer writer(
        path, {{"a", safetensors_type::float32, {2, 2}}, {"b", safetensors_type::int64, {1}}});
    writer.write(std::span<const std::byte>(std::vector<std::byte>(24)));
    writer.finish();
  }
  const std::string whole = read(path);
  const auto attempt = [&](const std::string& bytes) {
    const auto damaged = temporary_path();
    std::ofstream(damaged, std::ios::binary) << bytes;
    try {
      const safetensors_reader reader(damaged);
      for (const auto& tensor : reader.tensors()) CHECK(tensor.bytes % bytes_of(tensor.type) == 0);
    } catch (const input_error& error) {
      CHECK_THAT(error.what(), ContainsSubstring(damaged.string()));
    }
    std::filesystem::remove(damaged);
  };
  for (size_t length = 0; length < whole.size(); ++length) attempt(whole.substr(0, length));
  raw_bits bits{7};
  for (int i = 0; i < 2000; ++i) {
    std::string flipped = whole;
    flipped[bits.below(flipped.size())] ^= char(1 << bits.below(8));
    attempt(flipped);
  }
}

TEST_CASE("the golden safetensors of the shared models read") {
  const auto shared = references() / "gguf";
  if (!std::filesystem::exists(shared)) TROUPE_SKIP("no " + shared.string());
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(shared)) {
    if (entry.path().extension() != ".safetensors") continue;
    INFO(entry.path());
    const safetensors_reader reader(entry.path());
    const auto ids = reader.integers("case0.input_ids");
    const auto& logits = reader.get("case0.logits");
    CHECK(logits.shape.at(0) == ids.size());
    CHECK(reader.floats("case0.logits").size() == logits.shape.at(0) * logits.shape.at(1));
    ++files;
  }
  CHECK(files >= 21);
}
