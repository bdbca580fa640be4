// Goal: the vocabulary of a file as later code relies on it: arrays that agree with each other and with the
// embedding, ids within it, and llama.cpp's defaults for what the file leaves out.
#include "model/error.hpp"
#include "model/model_file.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include "model/testing/gguf_builder.hpp"
#include "model/testing/tiny_model.hpp"

using namespace troupe;
using namespace troupe::testing;
using adder = std::function<void(gguf_builder&)>;

namespace {

/// A tiny model without the given keys, and with what `also` adds.
tiny_model_options changed(const std::string& architecture, std::set<std::string, std::less<>> without,
                           const adder& also = {}) {
  tiny_model_options options;
  options.architecture = architecture;
  options.without = std::move(without);
  options.also = also;
  return options;
}

vocabulary words_of(const tiny_model_options& options) {
  return open_model(write_tiny_model(options))->words;
}

void require_refused(const tiny_model_options& options, const std::string& reason) {
  INFO("wanted: " << reason);
  const auto path = write_tiny_model(options);
  CHECK_THROWS_AS(open_model(path), input_error);
  CHECK_THROWS_WITH(open_model(path), ContainsSubstring(path.string() + ": ") && ContainsSubstring(reason));
}

adder u32(const std::string& key, uint32_t value) {
  return [=](auto& file) { file.add_u32("tokenizer.ggml." + key, value); };
}

const std::set<std::string, std::less<>> ids{"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                             "tokenizer.ggml.unknown_token_id"};
const std::string bos = "tokenizer.ggml.bos_token_id", eos = "tokenizer.ggml.eos_token_id";
const std::string add_bos = "tokenizer.ggml.add_bos_token";
const std::string tokens = "tokenizer.ggml.tokens", kinds = "tokenizer.ggml.token_type";
const std::string scores = "tokenizer.ggml.scores", merges = "tokenizer.ggml.merges";
const std::string model = "tokenizer.ggml.model";

} // namespace

TEST_CASE("a sentencepiece vocabulary is read as the file has it") {
  const vocabulary words = words_of({});
  CHECK(words.kind == tokenizer_kind::sentencepiece);
  REQUIRE(words.pieces.size() == 320);
  REQUIRE(words.scores.size() == 320);
  REQUIRE(words.kinds.size() == 320);
  CHECK(words.pieces[3 + 0x41] == "<0x41>");
  CHECK(words.pieces[259] == "▁");
  CHECK(words.scores[261] == -2);
  CHECK(words.kinds[0] == piece_kind::unknown);
  CHECK(words.kinds[1] == piece_kind::control);
  CHECK(words.kinds[4] == piece_kind::byte);
  CHECK(words.kinds[300] == piece_kind::normal);
  CHECK(words.merges.empty());
  CHECK(words.bos == 1u);
  CHECK(words.eos == 2u);
  CHECK(words.unknown == 0u);
  CHECK(!words.padding);
  CHECK(words.end_of_generation == std::vector<uint32_t>{2});
  CHECK(words.add_bos);
  CHECK(!words.add_eos);
  CHECK(words.prefix == space_prefix::always);
}

TEST_CASE("a byte-pair vocabulary is read as the file has it") {
  const vocabulary words = words_of({.architecture = "qwen2"});
  CHECK(words.kind == tokenizer_kind::byte_pair);
  CHECK(words.pre_tokenizer == "qwen2");
  CHECK(words.pieces.size() == 320);
  CHECK(words.kinds.size() == 320);
  CHECK(words.scores.empty());
  CHECK(words.merges.at(0) == "Ġ t");
  CHECK(words.pieces.at(256) == "Ġt");
  CHECK(words.bos == 319u);
  CHECK(words.eos == 319u);
  CHECK(!words.unknown);
  CHECK(!words.add_bos);
  CHECK(words.prefix == space_prefix::none);
  CHECK(words_of({.architecture = "gpt2"}).pre_tokenizer == "gpt-2");
}

TEST_CASE("a vocabulary is composed to form NFC where its pre-tokenizer's name stands for one that was trained so") {
  const auto composes = [](const std::string& architecture, const std::string& name) {
    const auto named = [&](auto& file) { file.add_string("tokenizer.ggml.pre", name); };
    return words_of(changed(architecture, {"tokenizer.ggml.pre"}, named)).rules == std::vector<text_rule>{{.kind = text_rule_kind::nfc}};
  };
  for (const char* name : {"qwen2", "qwen35", "deepseek-r1-qwen", "mpt", "olmo", "command-r"}) CHECK(composes("qwen2", name));
  for (const char* name : {"default", "gpt-2", "llama-bpe", "deepseek-v3", "gpt-4o", "tekken", "smollm"}) CHECK(!composes("qwen2", name));
  CHECK(!composes("llama", "qwen2")); // sentencepiece: the name does not count.

  const auto words = make_tokenizer(words_of({.architecture = "qwen2"}));
  const auto ids = [&](std::string_view text) { return words->encode(text, special_tokens::never); };
  CHECK(ids("cafe\u0301") == ids("caf\u00e9"));
  CHECK(ids("\u1112\u1161\u11ab") == ids("\ud55c")); // Hangul.
  CHECK(ids("\u212b \uf900") == ids("\u00c5 \u8c48")); // Single characters that are composed to others.
  CHECK(ids("\u00e9") != ids("e"));
  CHECK(words->decode(ids("cafe\u0301")) == "caf\u00e9");
  const auto gpt2 = make_tokenizer(words_of({.architecture = "gpt2"}));
  CHECK(gpt2->decode(gpt2->encode("cafe\u0301", special_tokens::never)) == "cafe\u0301");
}

TEST_CASE("what a vocabulary leaves out gets its tokenizer's defaults") {
  auto options = changed("llama", ids);
  options.without.insert({add_bos, "tokenizer.ggml.add_eos_token", scores, kinds});
  const vocabulary pieces = words_of(options);
  CHECK(pieces.bos == 1u);
  CHECK(pieces.eos == 2u);
  CHECK(pieces.unknown == 0u);
  CHECK(pieces.add_bos);
  CHECK(!pieces.add_eos);
  CHECK(pieces.scores == std::vector<float>(320));
  CHECK(pieces.kinds == std::vector<piece_kind>(320, piece_kind::normal));

  options.architecture = "qwen2";
  const vocabulary pairs = words_of(options);
  CHECK(pairs.bos == 11u);
  CHECK(pairs.eos == 11u);
  CHECK(!pairs.unknown);
  CHECK(!pairs.add_bos);

  CHECK(pairs.warnings.empty());

  options.without.insert("tokenizer.ggml.pre");
  const vocabulary guessed = words_of(options);
  CHECK(guessed.pre_tokenizer == "default");
  REQUIRE(guessed.warnings.size() == 1);
  CHECK_THAT(guessed.warnings[0], ContainsSubstring("tokenizer.ggml.pre is missing") && ContainsSubstring("assumed to be \"default\""));
  CHECK(words_of(options).pre_tokenizer == "default");
  options.also = [](auto& file) { file.add_string("tokenizer.ggml.pre", "llama-bpe"); };
  CHECK(words_of(options).add_bos);
}

TEST_CASE("end-of-turn pieces end a text, by id or by name") {
  CHECK(words_of(changed("llama", {}, u32("eot_token_id", 300))).end_of_generation ==
        std::vector<uint32_t>{2, 300});
  const auto named = changed("qwen2", {tokens}, [](auto& file) {
    std::vector<std::string> pieces(320);
    for (size_t i = 0; i < pieces.size(); ++i) pieces[i] = "p" + std::to_string(i);
    pieces[7] = "<|im_end|>";
    pieces[9] = "<|endoftext|>";
    file.add_strings(tokens, pieces);
  });
  CHECK(words_of(named).end_of_generation == std::vector<uint32_t>{7, 9, 319});
}

TEST_CASE("a vocabulary smaller than the embedding is filled up with unused pieces") {
  const vocabulary words = words_of(changed("llama", {tokens, scores, kinds}, [](auto& file) {
    file.add_strings(tokens, {"<unk>", "<s>", "</s>", "a"});
    file.add_floats(scores, {0, 0, 0, -1});
    file.add_ints(kinds, {2, 3, 3, 1});
  }));
  REQUIRE(words.pieces.size() == 320);
  CHECK(words.kinds.size() == 320);
  CHECK(words.scores.size() == 320);
  CHECK(words.pieces[3] == "a");
  CHECK(words.pieces[4] == "[PAD4]");
  CHECK(words.kinds[319] == piece_kind::unused);
}

TEST_CASE("a file without a tokenizer has ids only") {
  CHECK(words_of({.with_tokenizer = false}).kind == tokenizer_kind::none);
  CHECK(words_of({.vocabulary = 40}).kind == tokenizer_kind::none);
  CHECK(words_of({.with_tokenizer = false}).pieces.empty());
  const auto none = changed("llama", {model}, [](auto& file) { file.add_string(model, "none"); });
  CHECK(words_of(none).kind == tokenizer_kind::none);
}

TEST_CASE("a vocabulary that contradicts itself or the embedding is refused") {
  const std::vector<std::string> many(321, "x");
  require_refused(changed("llama", {tokens}, [&](auto& file) { file.add_strings(tokens, many); }),
                  "has 321 pieces, but the model embeds only 320");
  require_refused(changed("llama", {tokens}, [](auto& file) { file.add_strings(tokens, {}); }), "is empty");
  require_refused(changed("llama", {tokens}), "tokenizer.ggml.tokens: this key is missing");
  require_refused(changed("llama", {tokens}, [](auto& file) { file.add_ints(tokens, {1}); }),
                  "wanted an array of strings");
  require_refused(changed("llama", {scores},
                          [](auto& file) {
                            file.add_floats(scores, {1, 2});
                          }),
                  "tokenizer.ggml.scores: has 2 elements; tokenizer.ggml.tokens has 320");
  require_refused(
      changed("llama", {scores}, [](auto& file) { file.add_floats(scores, std::vector<float>(320, NAN)); }),
      "scores: element 0 is not a number");
  require_refused(
      changed("llama", {kinds}, [](auto& file) { file.add_ints(kinds, std::vector<int32_t>(319)); }),
      "tokenizer.ggml.token_type: has 319 elements");
  require_refused(
      changed("llama", {kinds}, [](auto& file) { file.add_ints(kinds, std::vector<int32_t>(320, 7)); }),
      "token_type: element 0 is not a kind of piece");
  require_refused(changed("qwen2", {merges}), "tokenizer.ggml.merges: this key is missing");
  for (const std::string merge : {"", " ", "a", "a ", " a"}) {
    require_refused(changed("qwen2", {merges},
                            [&](auto& file) {
                              file.add_strings(merges, {"a b", merge});
                            }),
                    "merges: element 1, ");
  }
  require_refused(changed("llama", {model}, [](auto& file) { file.add_string(model, "bert"); }),
                  "tokenizer.ggml.model: \"bert\" is not supported");
}

TEST_CASE("special ids outside the vocabulary are refused, except of padding, which nothing uses") {
  require_refused(changed("llama", {bos}, u32("bos_token_id", 320)),
                  "id 320 is outside the vocabulary of 320");
  require_refused(changed("llama", {eos}, u32("eos_token_id", 4000000000)),
                  "eos_token_id: id 4000000000 is outside");
  require_refused(changed("llama", {}, u32("eot_token_id", 320)), "eot_token_id: id 320 is outside");
  CHECK(!words_of(changed("llama", {}, u32("padding_token_id", 320))).padding);
  CHECK(words_of(changed("llama", {}, u32("padding_token_id", 319))).padding == 319u);
  const auto negative = [](auto& file) { file.add_i32(bos, -1); };
  require_refused(changed("llama", {bos}, negative),
                  "bos_token_id: wanted an unsigned integer, found the integer -1");
}

TEST_CASE("a file's chat template is read, if it is text of bounded size") {
  const auto with = [](const std::string& text) {
    return changed("llama", {}, [=](auto& file) { file.add_string("tokenizer.chat_template", text); });
  };
  CHECK(words_of(changed("llama", {})).chat_template.empty());
  CHECK(words_of(with("{{ messages }} é")).chat_template == "{{ messages }} é");
  CHECK(words_of(with(std::string(chat_template_bytes_max, 'a'))).chat_template.size() == chat_template_bytes_max);
  require_refused(with(std::string(chat_template_bytes_max + 1, 'a')), "tokenizer.chat_template: has 1048577 bytes");
  require_refused(with("\xff"), "tokenizer.chat_template: is not UTF-8");
}
