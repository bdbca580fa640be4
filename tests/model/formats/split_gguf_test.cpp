// Claims: a model split into files is the model; whatever is wrong with one of them is an error that names that file.
#include "model/error.hpp"
#include "model/formats/gguf.hpp"
#include "model/model_file.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <array>
#include <fstream>
#include <set>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr uint32_t part_count = 3;

void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

/// What a part says about itself, to be made wrong.
struct part_keys {
  uint32_t number, count = part_count, tensors;
};

/// A tiny model in one file, and the same in three, in a folder of its own.
class split_model {
public:
  split_model() : whole_(write_tiny_model()), folder_(temporary_path()), file_(std::make_shared<const input_file>(whole_)) {
    std::filesystem::create_directory(folder_);
    tensor_count_ = uint32_t(file_.tensors().size());
    for (uint32_t part = 0; part < part_count; ++part) write(part, keys(part));
  }

  part_keys keys(uint32_t part) const { return {.number = part, .tensors = tensor_count_}; }
  const std::filesystem::path& whole() const { return whole_; }
  std::filesystem::path path(uint32_t part) const { return folder_ / ("tiny-0000" + std::to_string(part + 1) + "-of-00003.gguf"); }

  /// Part `part`, with these keys. Tensors are dealt out in turn; `also` for one too many.
  void write(uint32_t part, const part_keys& keys, const std::function<void(gguf_builder&)>& also = {}) const {
    const auto add_rest = [&](gguf_builder& file) {
      file.add_u32("split.no", keys.number);
      file.add_u32("split.count", keys.count);
      file.add_u32("split.tensors.count", keys.tensors);
      if (also) also(file);
    };
    tiny_model_options options{.also = add_rest};
    gguf_builder other;
    for (size_t i = 0; i < file_.tensors().size(); ++i) {
      const gguf_tensor& tensor = file_.tensors()[i];
      if (part == 0 && i % part_count != 0) options.without.emplace(tensor.name);
      if (part > 0 && i % part_count == part) add(other, tensor);
    }
    if (part > 0) add_rest(other);
    write_file(path(part), part == 0 ? tiny_model_bytes(options) : other.bytes());
  }

  /// The tensor of this number, once more.
  void add(gguf_builder& file, size_t number) const { add(file, file_.tensors()[number]); }

private:
  void add(gguf_builder& file, const gguf_tensor& tensor) const {
    std::string bytes(tensor.bytes, '\0');
    file_.file()->read(tensor.offset, std::as_writable_bytes(std::span(bytes)));
    file.add_tensor(tensor.name, {tensor.columns, tensor.rows}, uint32_t(tensor.type), bytes);
  }

  std::filesystem::path whole_, folder_;
  gguf file_;
  uint32_t tensor_count_ = 0;
};

/// Opening the first part fails, with an error that begins with the name of the part that is wrong.
void require_refused(const split_model& model, uint32_t wrong, const std::string& reason) {
  INFO("wanted: " << reason);
  CHECK_THROWS_AS(open_model(model.path(0)), input_error);
  CHECK_THROWS_WITH(open_model(model.path(0)), Catch::Matchers::StartsWith(model.path(wrong).string() + ": ") && ContainsSubstring(reason));
}

} // namespace

TEST_CASE("a model that is split into files has the tensors of the whole one") {
  const split_model split;
  const auto whole = open_model(split.whole()), parts = open_model(split.path(0));
  CHECK(parts->files.size() == part_count);
  CHECK(parts->parameters == whole->parameters);
  CHECK(parts->words.pieces == whole->words.pieces);
  REQUIRE(parts->published.size() == whole->published.size());
  std::set<const byte_source*> sources;
  for (size_t i = 0; i < parts->published.size(); ++i) {
    CHECK(parts->published[i].gguf_name == whole->published[i].gguf_name);
    CHECK(read_bytes(parts->published[i].view) == read_bytes(whole->published[i].view));
    sources.insert(parts->published[i].view.from.get());
  }
  CHECK(sources.size() == part_count);
}

TEST_CASE("a split model is opened by its first file, under the name that says so") {
  const split_model model;
  CHECK_THROWS_WITH(open_model(model.path(1)),
                    ContainsSubstring("split.no: this is part 2 of 3 of a model: name the first, which ends in -00001-of-00003.gguf"));
  const auto other = model.path(0).parent_path() / "renamed.gguf";
  std::filesystem::rename(model.path(0), other);
  CHECK_THROWS_WITH(open_model(other), Catch::Matchers::StartsWith(other.string()) &&
                                           ContainsSubstring("unless its name ends in -00001-of-00003.gguf"));
}

TEST_CASE("a part that is missing, in another's place or of another model is named") {
  SECTION("missing") {
    const split_model model;
    std::filesystem::remove(model.path(2));
    require_refused(model, 2, "cannot open the file");
  }
  SECTION("in the wrong order") {
    const split_model model;
    const auto aside = model.path(0).parent_path() / "aside";
    std::filesystem::rename(model.path(1), aside);
    std::filesystem::rename(model.path(2), model.path(1));
    std::filesystem::rename(aside, model.path(2));
    require_refused(model, 1, "split.no: wanted 1, as the file's name says, found 2");
  }
  SECTION("of a model in more parts") {
    const split_model model;
    auto keys = model.keys(1);
    keys.count = 4;
    model.write(1, keys);
    require_refused(model, 1, "split.count: wanted 3, as in the first part, found 4");
  }
  SECTION("of a model with more tensors") {
    const split_model model;
    auto keys = model.keys(2);
    ++keys.tensors;
    model.write(2, keys);
    require_refused(model, 2, "split.tensors.count: wanted");
  }
  SECTION("a tensor in two parts") {
    const split_model model;
    model.write(1, model.keys(1), [&](auto& file) { model.add(file, size_t(0)); });
    require_refused(model, 1, "is in " + model.path(0).string() + " too");
  }
  SECTION("not all tensors") {
    const split_model model;
    for (uint32_t part = 0; part < part_count; ++part) {
      auto keys = model.keys(part);
      ++keys.tensors;
      model.write(part, keys);
    }
    require_refused(model, 0, "split.tensors.count: says");
  }
  SECTION("damaged") {
    const split_model model;
    std::filesystem::resize_file(model.path(2), std::filesystem::file_size(model.path(2)) / 2);
    require_refused(model, 2, "tensor \"");
  }
}
