#include "apps/process.hpp"
#include "model/testing/tiny_folder.hpp"
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
