#include "apps/process.hpp"
#include "model/testing/tiny_folder.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace troupe::testing;
using nlohmann::json;

namespace {

std::string text_of(const std::string& model) {
  const outcome result =
    run_troupe({"generate", "-m", model, "--prompt-ids", "5,9,14", "--max-tokens", "12", "--temperature", "0", "--json", "--quiet"});
  REQUIRE(result.exit_code == 0);
  return json::parse(result.out).at("tokens").dump();
}

} // namespace

TEST_CASE("an exported file generates what the folder does") {
  for (const char* family : {"llama", "gpt2"}) {
    const std::string folder = write_tiny_folder({.architecture = family}), file = temporary_path(".gguf");
    const outcome result = run_troupe({"export", "-m", folder, "--gguf", file});
    CHECK(result.exit_code == 0);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, ContainsSubstring(file) && ContainsSubstring(" tensors, "));
    CHECK(text_of(folder) == text_of(file));
  }
}

TEST_CASE("the option --type decides what matrices are stored as") {
  const std::string folder = write_tiny_folder();
  const auto size_of = [&](const std::string& type) {
    const std::string file = temporary_path(".gguf");
    const outcome result = run_troupe({"export", "-m", folder, "--gguf", file, "--type", type, "--quiet"});
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    return std::filesystem::file_size(file);
  };
  CHECK(size_of("f16") < size_of("f32") * 0.6);
  CHECK(size_of("q8_0") < size_of("f32") * 0.4);
}

TEST_CASE("export replaces a file only when told to, and refuses what it cannot write") {
  const std::string folder = write_tiny_folder(), file = write_temporary("mine", ".gguf");
  const outcome refused = run_troupe({"export", "-m", folder, "--gguf", file});
  CHECK(refused.exit_code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("exists; --force replaces it"));
  CHECK(std::filesystem::file_size(file) == 4);
  CHECK(run_troupe({"export", "-m", folder, "--gguf", file, "--force"}).exit_code == 0);
  CHECK(std::filesystem::file_size(file) > 1000);
  CHECK(run_troupe({"export", "-m", folder, "--gguf", file, "--type", "q4_0"}).exit_code == 2);
  CHECK(run_troupe({"export", "-m", folder}).exit_code == 2);
  const outcome nowhere = run_troupe({"export", "-m", folder, "--gguf", "/nowhere/x.gguf"});
  CHECK(nowhere.exit_code == 3);
  CHECK_THAT(nowhere.err, ContainsSubstring("/nowhere/x.gguf: cannot create the file"));
}

TEST_CASE("a model is exported as a folder, in half precision too, which is a model again") {
  const std::string model = write_tiny_folder(), whole = temporary_path(), half = temporary_path();
  const outcome result = run_troupe({"export", "-m", model, "--folder", whole});
  INFO(result.err);
  REQUIRE(result.exit_code == 0);
  CHECK_THAT(result.err, ContainsSubstring(whole + "/model.safetensors: "));
  CHECK(text_of(whole) == text_of(model));
  REQUIRE(run_troupe({"export", "-m", model, "--folder", half, "--type", "f16", "--quiet"}).exit_code == 0);
  const auto size_of = [](const std::string& folder) { return double(std::filesystem::file_size(folder + "/model.safetensors")); };
  CHECK(size_of(half) < 0.6 * size_of(whole));
  text_of(half);
}

TEST_CASE("export to a folder refuses one that exists, types that folders do not have, and models that are none") {
  const std::string model = write_tiny_folder(), folder = temporary_path();
  const auto check = [&](std::vector<std::string> more, int exit_code, const std::string& reason) {
    std::vector<std::string> arguments{"export", "-m", model};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const outcome result = run_troupe(arguments);
    CHECK(result.exit_code == exit_code);
    CHECK_THAT(result.err, ContainsSubstring(reason));
    CHECK_FALSE(std::filesystem::exists(folder));
  };
  check({"--folder", model}, 2, "exists; choose another one");
  check({"--folder", folder, "--type", "q8_0"}, 2, "a folder takes f32 and f16");
  check({"--folder", folder, "--gguf", folder}, 2, "--gguf");
  check({"--folder", "/nowhere/x"}, 3, "/nowhere/x");
  const outcome of_gguf = run_troupe({"export", "-m", write_tiny_model().string(), "--folder", folder});
  CHECK(of_gguf.exit_code == 3);
  CHECK_FALSE(std::filesystem::exists(folder));
}
