// What a folder says of how its model is to be decoded.
#include "model/formats/hf_decoding.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_encoder.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <fstream>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Of a marian with this generation_config.json; 100 tokens.
decoding_defaults decoding_of(std::string_view generation_config) {
  return open_model(write_tiny_encoder("MarianMTModel", generation_config))->decoding;
}

} // namespace

TEST_CASE("all that a generation_config.json says of decoding comes through") {
  const auto found = decoding_of(R"({"eos_token_id": [2, 7], "forced_bos_token_id": 5, "forced_eos_token_id": 2, "num_beams": 6,
    "bad_words_ids": [[99], [3, 4], [7]], "no_repeat_ngram_size": 3, "min_length": 12, "max_length": 40, "length_penalty": 0.5,
    "early_stopping": true, "do_sample": false, "renormalize_logits": true, "unknown_key": {"a": 1}})");
  CHECK(found.rules.end_tokens == std::vector<uint32_t>{2, 7});
  CHECK(found.rules.forced_first == 5);
  CHECK(found.rules.forced_last == 2);
  CHECK(found.rules.forbidden == std::vector<std::vector<uint32_t>>{{99}, {3, 4}}); // Not the end token.
  CHECK(found.rules.no_repeat_ngram == 3);
  CHECK(found.rules.tokens_min == 11); // Without the token that the decoder begins with.
  CHECK(found.tokens_max == 39);
  CHECK(found.search.beams == 6);
  CHECK(found.search.length_penalty == 0.5f);
  CHECK(found.search.stopping == early_stopping::yes);
  REQUIRE(found.ignored.size() == 1);
  CHECK(found.ignored[0].key == "renormalize_logits");
  CHECK_THAT(found.ignored[0].reason, ContainsSubstring("generation_config.json: renormalize_logits: is not supported"));
}

TEST_CASE("lengths of generated tokens count before lengths of sequences, and null counts as absent") {
  const auto found = decoding_of(R"({"eos_token_id": 2, "max_length": 20, "max_new_tokens": 8, "min_length": 4, "min_new_tokens": 2,
    "forced_bos_token_id": null, "bad_words_ids": null, "early_stopping": "never"})");
  CHECK(found.tokens_max == 8);
  CHECK(found.rules.tokens_min == 2);
  CHECK_FALSE(found.rules.forced_first);
  CHECK(found.rules.forbidden.empty());
  CHECK(found.search.stopping == early_stopping::never);
  CHECK(found.search.beams == 1);
}

TEST_CASE("without a generation_config.json the config.json says it") {
  const auto folder = write_tiny_encoder("MarianMTModel");
  std::filesystem::remove(folder / "generation_config.json");
  std::string config;
  std::getline(std::ifstream(folder / "config.json"), config, '\0');
  config.insert(1, R"("num_beams": 3, "eos_token_id": 4, "forced_eos_token_id": 4,)");
  std::ofstream(folder / "config.json") << config;
  const auto model = open_model(folder);
  CHECK(model->decoding.search.beams == 3);
  CHECK(model->decoding.rules.forced_last == 4);
  CHECK(model->words.end_of_generation == std::vector<uint32_t>{4}); // Though there is no vocabulary.
}

TEST_CASE("what a generation_config.json cannot mean is left out, and told with its place") {
  const std::pair<const char*, const char*> wrong[]{
    {R"({"forced_bos_token_id": 100})", "forced_bos_token_id"},
    {R"({"forced_bos_token_id": [2, 3]})", "forced_bos_token_id"},
    {R"({"forced_eos_token_id": [2, 100]})", "forced_eos_token_id[1]"},
    {R"({"bad_words_ids": [[1], []]})", "bad_words_ids[1]"},
    {R"({"bad_words_ids": [[1], [1, -1]]})", "bad_words_ids[1][1]"},
    {R"({"bad_words_ids": 7})", "bad_words_ids"},
    {R"({"num_beams": 0})", "num_beams"},
    {R"({"num_beams": 2000})", "num_beams"},
    {R"({"num_beams": 4294967297})", "num_beams"},
    {R"({"length_penalty": "much"})", "length_penalty"},
    {R"({"length_penalty": 1e300})", "length_penalty"},
    {R"({"early_stopping": "soon"})", "early_stopping"},
    {R"({"max_length": 0})", "max_length"},
    {R"({"max_length": 1})", "max_length"},
    {R"({"max_new_tokens": 0})", "max_new_tokens"},
    {R"({"min_length": -1})", "min_length"},
    {R"({"no_repeat_ngram_size": [3]})", "no_repeat_ngram_size"},
    {R"({"repetition_penalty": "x"})", "repetition_penalty"},
  };
  for (const auto& [text, place] : wrong) {
    INFO(text);
    const auto found = decoding_of(text);
    REQUIRE(found.ignored.size() == 1);
    CHECK_THAT(found.ignored[0].reason, ContainsSubstring(std::string("generation_config.json: ") + place + ": "));
    CHECK(std::string(place).starts_with(found.ignored[0].key));
    CHECK_FALSE(found.tokens_max);
    CHECK_FALSE((found.rules.forced_first || found.rules.forced_last || found.rules.tokens_min || found.rules.no_repeat_ngram));
    CHECK(found.rules.forbidden.size() == (std::string(place).starts_with("bad_words_ids[") ? 1 : 0)); // The good one stays.
    CHECK(found.search.beams == 1);
    CHECK(found.search.length_penalty == 1);
    CHECK(found.search.stopping == early_stopping::no);
  }
}

TEST_CASE("of several settings, one that cannot be meant leaves the others as they are") {
  const auto found = decoding_of(R"({"max_new_tokens": 0, "max_length": 9, "min_new_tokens": "x", "min_length": 3, "num_beams": -2,
    "length_penalty": 2, "forced_eos_token_id": [7, 2, 5]})");
  CHECK(found.tokens_max == 8);
  CHECK(found.rules.tokens_min == 2);
  CHECK(found.search.length_penalty == 2);
  CHECK(found.rules.forced_last == 2); // The lowest of several.
  CHECK(found.ignored.size() == 3);
}

TEST_CASE("an end token beyond the vocabulary, and a generation_config.json that is no JSON, are warnings") {
  const auto beyond = open_model(write_tiny_encoder("MarianMTModel", R"({"eos_token_id": [100, 3, "x"]})"));
  CHECK(beyond->words.end_of_generation == std::vector<uint32_t>{3});
  REQUIRE(beyond->words.warnings.size() == 2);
  CHECK_THAT(beyond->words.warnings[0], ContainsSubstring("generation_config.json: eos_token_id[0]: "));
  for (const char* text : {"{", "[]", ""}) {
    INFO(text);
    const auto broken = open_model(write_tiny_encoder("MarianMTModel", text));
    CHECK(broken->decoding.search.beams == 1);
    CHECK(broken->decoding.ignored.empty());
    REQUIRE(broken->words.warnings.size() == 1);
    CHECK_THAT(broken->words.warnings[0], ContainsSubstring("generation_config.json"));
  }
}

TEST_CASE("the recorded models end their sequences with the tokens that they say", "[conformance]") {
  const auto folder = references() / "hf";
  if (!std::filesystem::exists(folder)) TROUPE_SKIP("no " + folder.string());
  const std::pair<const char*, uint32_t> recorded[]{{"bart", 2}, {"marian", 0}, {"t5", 1}, {"t5_v11", 1}};
  for (const auto& [name, end] : recorded) {
    INFO(name);
    const auto model = open_model(folder / name);
    CHECK(model->words.end_of_generation == std::vector<uint32_t>{end});
    CHECK(model->decoding.rules.end_tokens == std::vector<uint32_t>{end});
  }
  CHECK(open_model(folder / "marian")->decoding.rules.forced_last == 0);
  CHECK_FALSE(open_model(folder / "t5")->decoding.rules.forced_last);
}
