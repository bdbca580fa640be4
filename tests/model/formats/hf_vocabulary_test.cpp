// Goal: a tokenizer.json means what its writers' library makes of it, and what it asks for beyond that is
// refused by name. The recorded cases of that library are in tokenizer/hf_tokenizer_conformance_test.cpp;
// here is what they do not contain.
#include "model/error.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

/// The files of a folder, by name.
using files = std::map<std::string, json>;

std::filesystem::path write_folder(const files& content) {
  const auto folder = temporary_folder();
  for (const auto& [name, value] : content) std::ofstream(folder / name) << value.dump();
  return folder;
}

vocabulary read(const files& content, uint32_t rows) {
  return read_hf_vocabulary(write_folder(content), rows);
}

/// Pieces of letters with "▁", ids in order: <unk>, <s>, then these.
json marked(const strings& pieces, const strings& merges = {}) {
  json vocab{{"<unk>", 0}, {"<s>", 1}};
  for (const auto& piece : pieces) vocab[piece] = vocab.size();
  return {{"model", {{"type", "BPE"}, {"unk_token", "<unk>"}, {"vocab", vocab}, {"merges", merges}}},
          {"added_tokens", {{{"id", 1}, {"content", "<s>"}, {"special", true}, {"normalized", false}}}},
          {"normalizer", nullptr},
          {"pre_tokenizer",
           {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}, {"split", false}}},
          {"decoder", {{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}}}};
}

/// Byte-level pieces: all printable ASCII characters, "Ġ", "Ċ", and these; without merges each character is a
/// token.
json byte_level(const strings& more = {}, const strings& merges = {}) {
  json vocab;
  for (char c = 0x21; c < 0x7f; ++c) vocab[std::string(1, c)] = vocab.size();
  for (const char* piece : {"Ġ", "Ċ"}) vocab[piece] = vocab.size();
  for (const auto& piece : more) vocab[piece] = vocab.size();
  const json step{{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
  return {{"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}},
          {"pre_tokenizer", step},
          {"decoder", step}};
}

constexpr uint32_t byte_level_rows = 200, marked_rows = 40;

strings split(const tokenizer& words, std::string_view text,
              special_tokens special = special_tokens::in_text) {
  strings pieces;
  for (const uint32_t id : words.encode(text, special)) pieces.push_back(words.piece(id));
  return pieces;
}

strings split(const json& tokenizer, std::string_view text,
              special_tokens special = special_tokens::in_text) {
  return split(*make_tokenizer(read({{"tokenizer.json", tokenizer}}, byte_level_rows)), text, special);
}

json with(json content, const std::string& pointer, const json& value) {
  content[json::json_pointer(pointer)] = value;
  return content;
}

} // namespace

TEST_CASE("a Metaspace prefix goes before texts that do not begin with a space, by its scheme") {
  const auto tokens = marked({"▁", "a", "b"});
  const auto by_scheme = [&](const char* scheme, const char* text) {
    return split(with(tokens, "/pre_tokenizer/prepend_scheme", scheme), text);
  };
  CHECK(by_scheme("never", "a b") == strings{"a", "▁", "b"});
  CHECK(by_scheme("always", "a b") == strings{"▁", "a", "▁", "b"});
  CHECK(by_scheme("always", " a") == strings{"▁", "a"});
  CHECK(by_scheme("always", "a<s>b<s> b") == strings{"▁", "a", "<s>", "▁", "b", "<s>", "▁", "b"});
  CHECK(by_scheme("first", "a<s>b") == strings{"▁", "a", "<s>", "b"});
  CHECK(by_scheme("first", "<s>b") == strings{"<s>", "b"});
  auto older = tokens;
  older["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"add_prefix_space", true}, {"str_rep", "▁"}};
  CHECK(split(older, "a") == strings{"▁", "a"});
}

TEST_CASE(
    "a Prepend normalizer puts a mark before every stretch of text, even one that begins with a space") {
  auto tokens = marked({"▁", "a"});
  tokens["pre_tokenizer"] = nullptr;
  tokens["normalizer"] = {{"type", "Sequence"},
                          {"normalizers",
                           {{{"type", "Prepend"}, {"prepend", "▁"}},
                            {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}}}}};
  CHECK(split(tokens, "a") == strings{"▁", "a"});
  CHECK(split(tokens, " a<s>a") == strings{"▁", "▁", "a", "<s>", "▁", "a"});
  CHECK(split(tokens, "").empty());
}

TEST_CASE("merges do not cross marks where Metaspace splits") {
  const strings pieces{"▁", "a", "a▁", "▁a"};
  auto tokens = marked(pieces, {"a ▁", "▁ a"});
  CHECK(split(tokens, "a a") == strings{"a▁", "a"});
  tokens["pre_tokenizer"]["split"] = true;
  CHECK(split(tokens, "a a") == strings{"a", "▁a"});
}

TEST_CASE("what is no piece becomes bytes, or one unknown token where they are fused") {
  auto tokens = marked({"a", "<0xC3>", "<0xA9>"});
  CHECK(split(tokens, "aéé") == strings{"a", "<unk>", "<unk>"});
  tokens["model"]["fuse_unk"] = true;
  CHECK(split(tokens, "ééaé") == strings{"<unk>", "a", "<unk>"});
  tokens["model"]["byte_fallback"] = true;
  CHECK(split(tokens, "aé世世a") == strings{"a", "<0xC3>", "<0xA9>", "<unk>", "a"});
}

TEST_CASE("added tokens take white space and demand whole words as they say") {
  const auto tokens = [](const json& flags, bool special = false) {
    json token{{"id", 150}, {"content", "tok"}, {"special", special}, {"normalized", false}};
    token.update(flags);
    return with(byte_level(), "/added_tokens", json::array({token}));
  };
  CHECK(split(tokens(json::object()), "atokb") == strings{"a", "tok", "b"});
  CHECK(split(tokens({{"lstrip", true}}), "a \n tok b") == strings{"a", "tok", "Ġ", "b"});
  CHECK(split(tokens({{"rstrip", true}}), "a tok \xe3\x80\x80 b") == strings{"a", "Ġ", "tok", "b"});
  CHECK(split(tokens({{"single_word", true}}), "atok tok tok_ tok!") ==
        strings{"a", "t", "o", "k", "Ġ", "tok", "Ġ", "t", "o", "k", "_", "Ġ", "tok", "!"});
  CHECK(split(tokens(json::object(), true), "tok", special_tokens::never) == strings{"t", "o", "k"});
  CHECK(split(tokens(json::object(), false), "tok", special_tokens::never) == strings{"tok"});
}

TEST_CASE("the longest of the added tokens that begin first is taken") {
  auto tokens = byte_level();
  for (const char* text : {"ab", "bcde", "abc"}) {
    tokens["added_tokens"].push_back(
        {{"id", 150 + tokens["added_tokens"].size()}, {"content", text}, {"normalized", false}});
  }
  // llama.cpp's rule, longest first, would take "bcde".
  CHECK(split(tokens, "abcde") == strings{"abc", "d", "e"});
  CHECK(split(tokens, "abbcde") == strings{"ab", "bcde"});
}

TEST_CASE("added tokens of normalised text are looked for after composing") {
  const auto tokens = [](bool normalized) {
    auto content = byte_level({"Ã", "©"});
    content["normalizer"] = {{"type", "NFC"}};
    content["added_tokens"] = {{{"id", 150}, {"content", "é"}, {"normalized", normalized}}};
    return content;
  };
  CHECK(split(tokens(true), "xe\u0301") == strings{"x", "é"});
  CHECK(split(tokens(false), "xe\u0301") == strings{"x", "Ã", "©"});
}

TEST_CASE("text is composed to NFC where the file says so, and damaged bytes stay") {
  auto tokens = byte_level({"Ã", "©", "Ì", "ģ", "ÿ"});
  CHECK(split(tokens, "e\u0301") == strings{"e", "Ì", "ģ"});
  tokens["normalizer"] = {{"type", "NFC"}};
  CHECK(split(tokens, "e\u0301") == strings{"Ã", "©"});
  CHECK(split(tokens, "\xff"
                      "e\u0301\xff") == strings{"ÿ", "Ã", "©", "ÿ"});
}

TEST_CASE("patterns cut words one after the other, as the file lists them") {
  const json bytes = byte_level()["pre_tokenizer"];
  const auto words_of = [&](const json& steps, std::string_view text) {
    auto tokens = byte_level({"12", "ab", "a1", "Ġa"}, {"1 2", "a b", "a 1", "Ġ a"});
    json all = steps;
    all.push_back(bytes);
    tokens["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", all}};
    return split(tokens, text);
  };
  const auto regex = [](const char* text, const char* behavior = "Isolated", bool invert = false) {
    return json{
        {"type", "Split"}, {"pattern", {{"Regex", text}}}, {"behavior", behavior}, {"invert", invert}};
  };
  CHECK(words_of(json::array(), "ab12 a1") == strings{"ab", "12", "Ġ", "a1"});
  CHECK(words_of({{{"type", "Digits"}, {"individual_digits", true}}}, "ab12a1") ==
        strings{"ab", "1", "2", "a", "1"});
  CHECK(words_of({{{"type", "Digits"}}}, "12a1") == strings{"12", "a", "1"});
  CHECK(words_of(json::array({regex(R"(\s)")}), "a a") == strings{"a", "Ġ", "a"});
  CHECK(words_of(json::array({regex(R"(\S+)", "Removed", true)}), "ab ab") == strings{"ab", "ab"});
  CHECK(words_of({{{"type", "Split"}, {"pattern", {{"String", "a"}}}, {"behavior", "Isolated"}}}, "ab") ==
        strings{"a", "b"});
  CHECK(words_of({{{"type", "Split"}, {"pattern", {{"String", "."}}}, {"behavior", "Isolated"}}}, "ab.a1") ==
        strings{"ab", ".", "a1"});
  CHECK(words_of(json::array({regex("x*")}), "ab") == strings{"ab"}); // Empty matches are none.
}

TEST_CASE("the template adds tokens around a text, and tokenizer_config.json has the last word") {
  auto tokens = marked({"a", "</s>"});
  tokens["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
      {"special_tokens", {{"<s>", {{"ids", {1}}}}, {"</s>", {{"ids", {3}}}}}}};
  const auto as_file = [&](const json& config) {
    return split(
        *make_tokenizer(read({{"tokenizer.json", tokens}, {"tokenizer_config.json", config}}, marked_rows)),
        "a", special_tokens::as_file);
  };
  CHECK(as_file(json::object()) == strings{"<s>", "a"});
  CHECK(as_file({{"add_bos_token", false}}) == strings{"a"});
  CHECK(as_file({{"add_eos_token", true}, {"eos_token", "</s>"}}) == strings{"<s>", "a", "</s>"});
  tokens["post_processor"]["single"].push_back({{"SpecialToken", {{"id", "</s>"}}}});
  CHECK(as_file(json::object()) == strings{"<s>", "a", "</s>"});
}

TEST_CASE("special tokens come from generation_config.json, tokenizer_config.json and config.json") {
  const auto tokens = marked({"a", "</s>", "<end>"});
  const auto words = read({{"tokenizer.json", tokens},
                           {"tokenizer_config.json",
                            {{"bos_token", {{"content", "<s>"}}},
                             {"eos_token", "</s>"},
                             {"pad_token", "<unk>"},
                             {"chat_template", json::array({{{"name", "tool_use"}, {"template", "t"}},
                                                            {{"name", "default"}, {"template", "d"}}})}}},
                           {"generation_config.json", {{"eos_token_id", {4, 2}}}},
                           {"config.json", {{"eos_token_id", 0}}}},
                          marked_rows);
  CHECK(words.bos == 1u);
  CHECK(words.eos == 3u);
  CHECK(words.padding == 0u);
  CHECK(words.end_of_generation == std::vector<uint32_t>{2, 3, 4});
  CHECK(words.chat_template == "d");
  CHECK(words.kinds[4] == piece_kind::normal);
  CHECK(words.pieces[39] == "[PAD39]");
  CHECK(words.kinds[39] == piece_kind::unused);

  const auto by_config =
      read({{"tokenizer.json", tokens}, {"config.json", {{"eos_token_id", {4, 3}}, {"bos_token_id", 1}}}},
           marked_rows);
  CHECK(by_config.eos == 4u);
  CHECK(by_config.bos == 1u);
  CHECK(by_config.end_of_generation == std::vector<uint32_t>{3, 4});
  CHECK(read({{"config.json", json::object()}}, 8).kind == tokenizer_kind::none);
}

namespace {

/// A unigram tokenizer of these pieces behind <unk>.
json unigram(const std::vector<std::pair<std::string, double>>& pieces, bool byte_fallback) {
  json vocab = json::array({{"<unk>", 0.0}});
  for (const auto& [piece, score] : pieces) vocab.push_back({piece, score});
  auto tokens = marked({});
  tokens["added_tokens"] = json::array();
  tokens["model"] = {{"type", "Unigram"}, {"unk_id", 0}, {"vocab", vocab}, {"byte_fallback", byte_fallback}};
  if (byte_fallback) {
    tokens["decoder"] = {{"type", "Sequence"},
                         {"decoders",
                          {{{"type", "Replace"}, {"pattern", {{"String", "▁"}}}, {"content", " "}},
                           {{"type", "ByteFallback"}},
                           {{"type", "Fuse"}}}}};
  }
  return tokens;
}

/// The best sum over all ways to cut the text.
double best_by_trying(const std::map<std::string, double>& scores, double unknown, const std::string& text) {
  if (text.empty()) return 0;
  double best = -1e300;
  for (size_t length = 1; length <= text.size(); ++length) {
    const auto found = scores.find(text.substr(0, length));
    if (found == scores.end() && length > 1) continue;
    const double score = found == scores.end() ? unknown : found->second;
    best = std::max(best, score + best_by_trying(scores, unknown, text.substr(length)));
  }
  return best;
}

} // namespace

TEST_CASE("unigram takes the pieces with the highest sum of scores") {
  const std::vector<std::pair<std::string, double>> pieces{{"a", -2},     {"b", -2.5},   {"ab", -3},
                                                           {"ba", -4.25}, {"aba", -4.5}, {"bb", -6}};
  const auto words = make_tokenizer(read({{"tokenizer.json", unigram(pieces, false)}}, 10));
  CHECK(split(*words, "abab") == strings{"ab", "ab"});
  CHECK(split(*words, "aba") == strings{"aba"});
  CHECK(split(*words, "axxb") == strings{"a", "<unk>", "b"});
  const std::map<std::string, double> scores(pieces.begin(), pieces.end());
  raw_bits bits{1};
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (uint64_t k = bits.below(11); k > 0; --k) text += "abx"[bits.below(3)];
    INFO(text);
    double sum = 0;
    size_t covered = 0;
    for (const auto& piece : split(*words, text)) {
      if (piece == "<unk>") {
        while (text[covered] == 'x') sum += -16, ++covered; // 10 below the worst piece.
      } else {
        sum += scores.at(piece), covered += piece.size();
      }
    }
    CHECK(covered == text.size());
    CHECK(sum == Approx(best_by_trying(scores, -16, text)));
  }
}

TEST_CASE("unigram falls back to bytes where the file has them") {
  const auto words = make_tokenizer(
      read({{"tokenizer.json", unigram({{"a", -1}, {"<0xC3>", 0}, {"<0xA9>", 0}}, true)}}, 10));
  CHECK(split(*words, "aéa") == strings{"a", "<0xC3>", "<0xA9>", "a"});
  CHECK(words->decode(words->encode("aéa")) == "aéa");
  CHECK(split(*words, "aéxa") == strings{"a", "<unk>", "a"});
}

TEST_CASE("what a tokenizer.json asks for and no tokenizer here does is refused by name") {
  const json metaspace = marked({"a"}), bytes = byte_level();
  const json sequence = [&] {
    return json{{"type", "Sequence"}, {"pretokenizers", {{{"type", "Split"}}, bytes["pre_tokenizer"]}}};
  }();
  const auto split_step = [&](const json& step) {
    auto changed = with(bytes, "/pre_tokenizer", sequence);
    changed["pre_tokenizer"]["pretokenizers"][0] = step;
    return changed;
  };
  const auto regex = [&](const std::string& text) {
    return split_step({{"type", "Split"}, {"pattern", {{"Regex", text}}}, {"behavior", "Isolated"}});
  };
  struct refusal {
    json tokenizer;
    std::string place, reason;
  };
  const refusal all[] = {
      {with(bytes, "/model/type", "WordPiece"), "model.type", "only with BertPreTokenizer"},
      {with(bytes, "/model/continuing_subword_prefix", "##"), "model.continuing_subword_prefix",
       "is not supported"},
      {with(bytes, "/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix", "is not supported"},
      {with(bytes, "/model/dropout", 0.1), "model.dropout", "at random"},
      {with(bytes, "/model/byte_fallback", true), "model.byte_fallback", "with ByteLevel"},
      {with(bytes, "/model/type", "WordLevel"), "model.type", "\"WordLevel\" is not supported"},
      {with(bytes, "/normalizer", {{"type", "Nmt"}}), "normalizer.type", "\"Nmt\" is not supported"},
      {with(bytes, "/normalizer", {{"type", "Precompiled"}}), "normalizer", "\"precompiled_charsmap\" is missing"},
      {with(bytes, "/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAA"}}), "normalizer.precompiled_charsmap",
       "is not base64"},
      {with(bytes, "/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AA*="}}), "normalizer.precompiled_charsmap",
       "is not base64"},
      {with(bytes, "/normalizer", {{"type", "Precompiled"}, {"precompiled_charsmap", "AAAAgAAA"}}), "normalizer",
       "the precompiled charsmap says that its trie has"},
      {with(metaspace, "/normalizer", {{"type", "Prepend"}, {"prepend", "_"}}), "normalizer.prepend",
       "wanted"},
      {with(metaspace, "/normalizer",
            {{"type", "Replace"}, {"pattern", {{"Regex", "( "}}}, {"content", "▁"}}),
       "normalizer", "the pattern \"( \""},
      {with(metaspace, "/normalizer", {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(300, 'a')}}),
       "normalizer.content", "wanted at most 256 bytes"},
      {with(metaspace, "/normalizer",
            {{"type", "Sequence"}, {"normalizers", {{{"type", "Prepend"}, {"prepend", "▁"}}, {{"type", "NFC"}}}}}),
       "normalizer.normalizers[1]", "only before"},
      {with(metaspace, "/pre_tokenizer/replacement", "_"), "pre_tokenizer.replacement", "wanted"},
      {with(metaspace, "/pre_tokenizer/prepend_scheme", "last"), "pre_tokenizer.prepend_scheme", "wanted"},
      {with(metaspace, "/pre_tokenizer", nullptr), "model.type", "wanted ByteLevel, Metaspace"},
      {with(bytes, "/pre_tokenizer", {{"type", "BertPreTokenizer"}}), "model.type", "words are cut in a way"},
      {with(bytes, "/decoder", {{"type", "WordPiece"}}), "decoder.type", "is not supported"},
      {with(bytes, "/decoder", nullptr), "the file", "\"decoder\" is missing"},
      {with(bytes, "/post_processor", {{"type", "RobertaProcessing"}}), "post_processor", "\"cls\" is missing"},
      {with(bytes, "/post_processor", {{"type", "BertProcessing"}, {"cls", {"a", 200}}, {"sep", {"b", 1}}}), "post_processor.cls[1]",
       "wanted at most 199"},
      {with(bytes, "/vocoder", 1), "vocoder", "is not supported"},
      {split_step({{"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithNext"}}),
       "pre_tokenizer.pretokenizers[0].behavior", "\"MergedWithNext\" is not supported"},
      {split_step({{"type", "Punctuation"}}), "pre_tokenizer.pretokenizers[0].type", "is not supported"},
      {regex("(a"), "pre_tokenizer", "the pattern \"(a\""},
      {regex("[a&&b]"), "pre_tokenizer", "combines classes"},
      {regex("[a[b]]"), "pre_tokenizer", "combines classes"},
      {regex(R"(\h+)"), "pre_tokenizer", "uses \\h"},
      {regex(R"([^\S])"), "pre_tokenizer", "uses \\S in a class"},
      {regex("(*ACCEPT)a"), "pre_tokenizer", "not supported"},
      {regex(std::string(20000, 'a')), "pre_tokenizer.pretokenizers[0].pattern.Regex", "wanted 1 to"},
  };
  for (const auto& one : all) {
    const auto folder = write_folder({{"tokenizer.json", one.tokenizer}});
    INFO(one.place << " " << one.reason);
    CHECK_THROWS_WITH(read_hf_vocabulary(folder, byte_level_rows),
                      ContainsSubstring((folder / "tokenizer.json").string() + ": " + one.place + ": ") &&
                          ContainsSubstring(one.reason));
  }
}

TEST_CASE("a damaged tokenizer.json is refused with its place") {
  const json tokens = marked({"a", "b", "ab"}, {"a b"});
  const json special{{"SpecialToken", {{"id", "<s>"}}}}, text{{"Sequence", {{"id", "A"}}}};
  const auto processor = [&](const json& single, uint64_t id) {
    return with(tokens, "/post_processor",
                {{"type", "TemplateProcessing"},
                 {"single", single},
                 {"special_tokens", {{"<s>", {{"ids", json::array({id})}}}}}});
  };
  struct damage {
    json tokenizer;
    std::string place, reason;
  };
  const damage all[] = {
      {with(tokens, "/model/vocab/a", 40), "model.vocab.a", "id 40 is outside the vocabulary of 40"},
      {with(tokens, "/model/vocab/a", uint64_t(1) << 40), "model.vocab.a", "outside the vocabulary"},
      {with(tokens, "/model/vocab/a", -1), "model.vocab.a", "wanted an integer"},
      {with(tokens, "/model/vocab/a", 3), "model.vocab.b", "is also that of"},
      {with(tokens, "/model/vocab", json::array()), "model.vocab", "wanted an object"},
      {with(tokens, "/model/unk_token", "?"), "model.unk_token", "is not in the vocabulary"},
      {with(tokens, "/model/merges", json::array({"a  b"})), "model.merges[0]", "wanted two pieces"},
      {with(tokens, "/model/merges", json::array({"ab"})), "model.merges[0]", "wanted two pieces"},
      {with(tokens, "/model/merges", json::array({json::array({"a"})})), "model.merges[0]",
       "wanted two pieces"},
      {with(tokens, "/model/merges", json::array({"a a"})), "model.merges[0]",
       "\"aa\" is not in the vocabulary"},
      {with(tokens, "/model/merges", 7), "model.merges", "wanted an array"},
      {with(tokens, "/added_tokens/0/id", 40), "added_tokens[0].id", "outside the vocabulary"},
      {with(tokens, "/added_tokens/0/id", 2), "added_tokens[0]", "do not belong together"},
      {with(tokens, "/added_tokens/0/content", ""), "added_tokens[0].content", "is empty"},
      {with(tokens, "/added_tokens/0/lstrip", 1), "added_tokens[0].lstrip", "wanted true or false"},
      {processor({text, text}, 1), "post_processor.single[1]", "a second time"},
      {with(processor(json::array({text}), 1), "/post_processor/pair", json::array({text})), "post_processor.pair",
       "no place for the second text"},
      {processor(json::array({special}), 1), "post_processor.single", "no place for the text"},
      {processor({special, text}, 40), "post_processor.special_tokens.<s>.ids[0]", "wanted at most 39"},
      {processor({{{"SpecialToken", {{"id", "?"}}}}, text}, 1), "post_processor.special_tokens",
       "\"?\" is missing"},
      {with(tokens, "/model", 1), "model", "wanted an object"},
      {with(unigram({{"a", -1}, {"a", -2}}, false), "/version", "1"), "model.vocab[2]", "comes twice"},
      {with(unigram({{"a", -1}}, false), "/model/vocab/1/1", "x"), "model.vocab[1][1]", "wanted a number"},
      {with(unigram({{"a", -1}}, false), "/model/vocab/1/1", 1e300), "model.vocab[1][1]", "wanted a number"},
      {with(unigram({{"a", -1}}, false), "/model/unk_id", 9), "model.unk_id", "there is no piece 9"},
  };
  for (const auto& one : all) {
    const auto folder = write_folder({{"tokenizer.json", one.tokenizer}});
    INFO(one.place << " " << one.reason);
    CHECK_THROWS_WITH(read_hf_vocabulary(folder, marked_rows),
                      ContainsSubstring((folder / "tokenizer.json").string() + ": " + one.place + ": ") &&
                          ContainsSubstring(one.reason));
  }
  const auto beside = [&](const char* name, const json& content) {
    return write_folder({{"tokenizer.json", tokens}, {name, content}});
  };
  const auto words = read_hf_vocabulary(beside("generation_config.json", {{"eos_token_id", {1, 40}}}), marked_rows);
  CHECK(words.end_of_generation == std::vector<uint32_t>{1});
  REQUIRE(words.warnings.size() == 1);
  CHECK_THAT(words.warnings[0], ContainsSubstring("generation_config.json: eos_token_id[1]: id 40 is outside"));
  CHECK_THROWS_WITH(read_hf_vocabulary(beside("tokenizer_config.json", {{"eos_token", "?"}}), marked_rows),
                    ContainsSubstring("tokenizer_config.json: eos_token: \"?\" is not in the vocabulary"));
  CHECK_THROWS_WITH(
      read_hf_vocabulary(beside("tokenizer_config.json", {{"add_eos_token", true}}), marked_rows),
      ContainsSubstring("add_eos_token: wants a token that nothing names"));
}
