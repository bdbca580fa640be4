// Every tokenizer case recorded from transformers and sentencepiece, exactly.
#include "model/formats/hf_vocabulary.hpp"
#include "model/formats/safetensors.hpp"
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

/// As the references print bytes that are not UTF-8: U+FFFD for each damaged character where pieces are made of bytes, and in
/// sentencepiece; for each byte of a damaged run where bytes are pieces of a tokenizer.json.
std::string printed(const tokenizer& words, const std::vector<uint32_t>& ids, bool special_text) {
  if (words.words().kind != tokenizer_kind::character_pair) {
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
  const auto words = make_tokenizer(read_hf_vocabulary(folder, hf_vocabulary_size(folder)));
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
    auto ids = example.at("ids").get<std::vector<uint32_t>>();
    INFO("ids: " << example.at("ids").dump());
    // Whisper's class for Python drops what is no text of its own accord, times such as <|0.20|>.
    if (name == "hf/whisper") std::erase_if(ids, [&](uint32_t id) { return words->piece(id).starts_with("<|0."); });
    CHECK(printed(*words, ids, true) == example.at("text").get<std::string>());
    CHECK(printed(*words, ids, false) == example.at("text_skip_special").get<std::string>());
  }
}

/// Two texts as the models take them, with segments where they have any.
void check_pairs(const std::string& name, truncation::what cut) {
  const auto folder = testing::references() / "hf" / name;
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const auto golden = read(folder / "golden.json");
  const safetensors_reader tensors(folder / "golden.safetensors");
  const auto words = make_tokenizer(read_hf_vocabulary(folder, hf_vocabulary_size(folder)));
  const auto ids = tensors.integers("a.input_ids"), mask = tensors.integers("a.attention_mask");
  const bool has_segments = tensors.find("a.token_type_ids") != nullptr;
  const auto segments = has_segments ? tensors.integers("a.token_type_ids") : std::vector<int64_t>(ids.size());
  const auto& texts = golden.at("texts");
  const size_t columns = ids.size() / texts.size(), tokens_max = golden.at("max_length");
  size_t pairs = 0;
  for (size_t row = 0; row < texts.size(); ++row) {
    INFO(texts[row].dump());
    const auto first = texts[row][0].get<std::string>();
    const bool is_pair = !texts[row][1].is_null();
    pairs += is_pair;
    const auto found = is_pair ? words->encode_pair(first, texts[row][1].get<std::string>(), special_tokens::as_file, {cut, tokens_max})
                               : words->encode_traced(first, special_tokens::as_file, {truncation::what::only_first, tokens_max});
    size_t length = 0;
    while (length < columns && mask[row * columns + length] != 0) ++length;
    REQUIRE(found.ids.size() == length);
    for (size_t i = 0; i < length; ++i) {
      CHECK(found.ids[i] == uint32_t(ids[row * columns + i]));
      if (has_segments) CHECK(found.segments[i] == segments[row * columns + i]);
    }
  }
  CHECK(pairs > 0);
}

} // namespace

TEST_CASE("the tokenizers of folders agree with transformers", "[conformance]") {
  check_all(GENERATE(as<std::string>{}, "hf/bart", "hf/bert_mlm", "hf/bert_seqcls", "hf/distilbert_qa", "hf/gpt2", "hf/llama",
                     "hf/marian", "hf/qwen2", "hf/qwen3", "hf/t5", "hf/whisper", "tokenizers/llama3_bpe",
                     "tokenizers/llama_other_form"));
}

TEST_CASE("two texts become one input as in transformers", "[conformance]") {
  check_pairs("bert_mlm", truncation::what::longest_first);
  check_pairs("bert_seqcls", truncation::what::longest_first);
  check_pairs("distilbert_qa", truncation::what::only_second);
}

TEST_CASE("sentencepiece's own model files agree with sentencepiece", "[conformance]") {
  const auto folder = testing::references() / "tokenizers" / GENERATE(as<std::string>{}, "spm_bpe", "spm_unigram");
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const auto golden = read(folder / "golden.json");
  const auto words = make_tokenizer(read_hf_vocabulary(folder, hf_vocabulary_size(folder)));
  REQUIRE(golden.at("encode").size() >= 100);
  for (const auto& example : golden.at("encode")) {
    const auto text = example.at("text").get<std::string>();
    const auto ids = example.at("ids").get<std::vector<uint32_t>>();
    INFO("text: " << example.at("text").dump());
    CHECK(words->encode(text) == ids);
    CHECK(words->decode(ids) == example.at("decoded").get<std::string>());
  }
  REQUIRE(golden.at("decode").size() >= 10);
  for (const auto& example : golden.at("decode")) {
    INFO("ids: " << example.at("ids").dump());
    CHECK(printed(*words, example.at("ids"), false) == example.at("text").get<std::string>());
  }
}
