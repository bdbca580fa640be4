// Every tokenizer case recorded from transformers, exactly.
#include "model/formats/hf_vocabulary.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/utf8.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;

namespace {

nlohmann::json read(const std::filesystem::path& path) {
  std::ifstream in(path);
  return nlohmann::json::parse(in);
}

/// Ids up to the largest: some references have no model that would say it.
uint32_t ids_of(const nlohmann::json& tokenizer) {
  uint32_t largest = 0;
  for (const auto& [piece, id] : tokenizer.at("model").at("vocab").items())
    largest = std::max(largest, id.get<uint32_t>());
  for (const auto& token : tokenizer.at("added_tokens"))
    largest = std::max(largest, token.at("id").get<uint32_t>());
  return largest + 1;
}

/// As the references print bytes that are not UTF-8: U+FFFD for each damaged character where pieces are made
/// of bytes, for each byte of a damaged run where bytes are pieces.
std::string printed(const tokenizer& words, const std::vector<uint32_t>& ids, bool special_text) {
  if (words.words().kind == tokenizer_kind::byte_pair) {
    utf8_stream stream;
    const std::string whole = stream.push(words.decode(ids, special_text));
    return whole + stream.finish();
  }
  std::string text, run;
  const auto end_run = [&] {
    if (!is_utf8(run))
      for (size_t i = 0; i < run.size(); ++i) text += "\ufffd";
    else
      text += run;
    run.clear();
  };
  for (const uint32_t id : ids) {
    const std::string bytes = words.token_bytes(id, special_text);
    if (words.words().kinds[id] == piece_kind::byte) {
      run += bytes;
      continue;
    }
    end_run();
    text += bytes;
  }
  end_run();
  return words.words().drops_first_space && text.starts_with(' ') ? text.substr(1) : text;
}

void check_all(const std::string& name) {
  const auto folder = testing::references() / name;
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const auto golden = read(folder / "golden.json");
  const auto& recorded = golden.contains("encode") ? golden : golden.at("tokenizer");
  const auto words = make_tokenizer(read_hf_vocabulary(folder, ids_of(read(folder / "tokenizer.json"))));
  REQUIRE(recorded.at("encode").size() >= 100);
  for (const auto& example : recorded.at("encode")) {
    const auto text = example.at("text").get<std::string>();
    const auto ids = example.at("ids").get<std::vector<uint32_t>>();
    INFO("text: " << example.at("text").dump());
    CHECK(words->encode(text) == ids);
    CHECK(words->encode(text, special_tokens::in_text) ==
          example.at("ids_no_special").get<std::vector<uint32_t>>());
    CHECK(words->decode(ids, true) == example.at("decoded").get<std::string>());
    CHECK(words->decode(ids) == example.at("decoded_skip_special").get<std::string>());
  }
  REQUIRE(recorded.at("decode").size() >= 10);
  for (const auto& example : recorded.at("decode")) { // Ids in any order: these need not be UTF-8.
    const auto ids = example.at("ids").get<std::vector<uint32_t>>();
    INFO("ids: " << example.at("ids").dump());
    CHECK(printed(*words, ids, true) == example.at("text").get<std::string>());
    CHECK(printed(*words, ids, false) == example.at("text_skip_special").get<std::string>());
  }
}

} // namespace

TEST_CASE("the tokenizers of folders agree with transformers", "[conformance]") {
  check_all(GENERATE(as<std::string>{}, "hf/gpt2", "hf/llama", "hf/qwen2", "hf/qwen3",
                     "tokenizers/llama3_bpe", "tokenizers/llama_other_form"));
}
