// Claims: once its parts are made, a model needs its file no more; a file that changes while it is loaded, or before a matrix is loaded
// again, is an error that names it. Never a signal.
#include "model/error.hpp"
#include "model/parts/weights.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr uint32_t tokens[] = {1, 5, 9, 260, 3};

std::vector<float> logits_of(std::shared_ptr<const model_parts> parts) { return reference_model(std::move(parts)).forward(tokens); }

/// Writes over one byte of every page.
void write_over(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  for (uint64_t at = 100; at < std::filesystem::file_size(path); at += 4096) {
    file.seekp(std::streamoff(at));
    file.put('\x5a');
  }
}

/// An hour old, so that whatever happens to it now has another time.
std::filesystem::path old_model(const tiny_model_options& options) {
  const auto path = write_tiny_model(options);
  std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  return path;
}

const std::pair<const char*, std::function<void(const std::filesystem::path&)>> changes[] = {
    {"shortened", [](const auto& path) { std::filesystem::resize_file(path, 1000); }},
    {"emptied", [](const auto& path) { std::filesystem::resize_file(path, 0); }},
    {"written over", write_over},
    {"removed", [](const auto& path) { std::filesystem::remove(path); }},
    {"replaced", [](const auto& path) { std::filesystem::rename(write_tiny_model({.seed = 99}), path); }},
};

template <class Action> std::string complaint(Action action) {
  try {
    action();
  } catch (const input_error& error) {
    return error.what();
  }
  return "";
}

} // namespace

TEST_CASE("once its parts are made, a model computes the same whatever becomes of its file", "[changing]") {
  for (const char* family : {"llama", "gpt2"}) // With and without positions from a table.
    for (const auto& [what, change] : changes) {
      INFO(family << ", " << what);
      const auto path = write_tiny_model({.architecture = family, .type = tensor_type::q8_0});
      const auto parts = make_parts(open_model(path), {.shards = 2});
      const auto wanted = logits_of(parts);
      change(path);
      CHECK(logits_of(parts) == wanted);
    }
  const auto folder = write_tiny_folder({});
  const auto parts = make_parts(open_model(folder), {.shards = 2});
  const auto wanted = logits_of(parts);
  std::filesystem::resize_file(folder / "model.safetensors", 100);
  CHECK(logits_of(parts) == wanted);
}

TEST_CASE("a model file that changes while it is loaded is an error that names it", "[changing]") {
  const auto load_after = [](const auto& change) {
    const auto path = old_model({.type = tensor_type::q8_0});
    const auto model = open_model(path);
    change(path);
    const auto error = complaint([&] { make_parts(model, {.shards = 2}); });
    return std::pair(error, path.string());
  };
  for (const auto& [what, change] : changes) {
    INFO(what);
    const auto [error, path] = load_after(change);
    if (what == std::string("removed") || what == std::string("replaced")) {
      CHECK(error.empty()); // The open file is what it was.
    } else {
      CHECK_THAT(error, ContainsSubstring(path + ": "));
      CHECK_THAT(error, ContainsSubstring("shortened") || ContainsSubstring("changed"));
    }
  }
  // In the midst of it: the second of two jobs finds less than the first.
  const auto path = old_model({});
  const auto error = complaint([&] {
    make_parts(open_model(path), {.shards = 2}, [&](std::vector<std::function<void()>> jobs) {
      jobs.front()();
      std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
      for (size_t i = 1; i < jobs.size(); ++i) jobs[i]();
    });
  });
  CHECK_THAT(error, ContainsSubstring(path.string() + ": the file was shortened: it has "));
}

TEST_CASE("a matrix that has a wrong bit is loaded again, if the file still holds what it held", "[changing]") {
  for (const auto& [what, change] : changes) {
    INFO(what);
    const auto path = write_tiny_model({.type = tensor_type::q8_0});
    const auto parts = make_parts(open_model(path), {.shards = 2, .keep = kept_sums::words});
    const auto wanted = logits_of(parts);
    const auto shard = parts->layers[1]->shards[0];
    flip_weight_bit(projections_of(*shard), 12345);
    CHECK(logits_of(parts) != wanted);
    change(path);
    std::shared_ptr<const projection_shard_part> repaired;
    const auto error = complaint([&] { repaired = with_intact_weights(shard); });
    if (what == std::string("removed") || what == std::string("replaced")) {
      CHECK(error.empty());
      REQUIRE(repaired);
      auto whole = std::make_shared<model_parts>(*parts);
      auto layer = std::make_shared<layer_part>(*whole->layers[1]);
      layer->shards[0] = repaired;
      whole->layers[1] = layer;
      CHECK(logits_of(whole) == wanted);
    } else {
      CHECK_THAT(error, ContainsSubstring(path.string() + ": ") && ContainsSubstring("cannot be loaded again"));
      CHECK_THAT(error, ContainsSubstring("blk.1."));
    }
  }
}

TEST_CASE("one copy of a model is in memory: what is packed, and the embedding as the file has it", "[changing]") {
  const auto model = open_model(write_tiny_model({.type = tensor_type::q8_0}));
  const auto parts = make_parts(model, {.shards = 2});
  CHECK(parts->embedding.table.bytes.size() == model->tensors.embedding.bytes());
  CHECK(parts->embedding.table.bytes.data() == reinterpret_cast<const std::byte*>(parts->embedding.memory.get()));
  CHECK(read_bytes(model->tensors.embedding)
        == std::vector<std::byte>(parts->embedding.table.bytes.begin(), parts->embedding.table.bytes.end()));
}
