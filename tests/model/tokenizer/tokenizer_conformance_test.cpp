// Every tokenizer case recorded from llama.cpp, exactly; but for texts that are not in form NFC where a model was trained with that:
// llama.cpp does not compose them.
#include "model/model_file.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/tokenizer/unicode_forms.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

void check_all(const char* name) {
  const auto folder = testing::references() / "gguf";
  const auto golden = folder / (std::string("tok-") + name + ".json");
  if (!std::filesystem::exists(golden))
    TROUPE_SKIP("no " + golden.string());
  std::ifstream in(golden);
  const auto recorded = nlohmann::json::parse(in);
  const auto words = make_tokenizer(open_model(folder / recorded.at("model").get<std::string>())->words);
  const auto& cases = recorded.at("cases");
  REQUIRE(cases.size() >= 50);
  size_t composed = 0;
  for (const auto& example : cases) {
    const auto text = example.at("text").get<std::string>();
    const auto ids = example.at("ids").get<std::vector<uint32_t>>();
    INFO("text: \"" << text << '"');
    if (!words->words().rules.empty() && compose(text) != text) {
      CHECK(words->encode(text) == words->encode(compose(text)));
      ++composed;
      continue;
    }
    CHECK(words->encode(text, special_tokens::never) == ids);
    CHECK(words->encode(text) == example.at("ids_with_special").get<std::vector<uint32_t>>());
    CHECK(words->decode(ids) == example.at("decoded").get<std::string>());
  }
  CHECK(composed < cases.size() / 10);
}

} // namespace

TEST_CASE("the sentencepiece tokenizer agrees with llama.cpp") { check_all("spm"); }
TEST_CASE("the gpt2 tokenizer agrees with llama.cpp") { check_all("gpt2"); }
TEST_CASE("the qwen2 tokenizer agrees with llama.cpp") { check_all("qwen2"); }
TEST_CASE("the qwen3 tokenizer agrees with llama.cpp") { check_all("qwen3"); }
