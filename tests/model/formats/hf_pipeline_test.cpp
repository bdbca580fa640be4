// Goal: the tokenizer.json of encoders and encoder-decoders (BERT, BART, T5) means what its writers' library makes of it, in small
// cases that need no references.
#include "model/error.hpp"
#include "model/formats/open_vocabulary.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

std::shared_ptr<const tokenizer> make(const json& content) {
  const auto folder = temporary_folder();
  std::ofstream(folder / "tokenizer.json") << content;
  return make_tokenizer(open_vocabulary(folder));
}

strings pieces_of(const tokenizer& words, const std::vector<uint32_t>& ids) {
  strings out;
  for (const uint32_t id : ids) out.push_back(words.piece(id));
  return out;
}

json added(const strings& texts) {
  json list = json::array();
  for (const auto& text : texts) list.push_back({{"id", list.size()}, {"content", text}, {"special", true}, {"normalized", false}});
  return list;
}

json bert(const json& normalizer) {
  json vocab;
  for (const char* piece : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "cafe", "caf\u00e9", "Caf\u00e9", "##s", ".", "a"})
    vocab[piece] = vocab.size();
  return {{"added_tokens", added({"[PAD]", "[UNK]", "[CLS]", "[SEP]"})},
          {"normalizer", normalizer},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor", {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}}},
          {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 5},
            {"vocab", vocab}}}};
}

/// Byte-level pieces of a few characters.
json byte_level() {
  json vocab;
  for (const char* piece : {"<s>", "<pad>", "</s>", "a", "b", "\u0120", "\u0120a"}) vocab[piece] = vocab.size();
  return {{"added_tokens", added({"<s>", "<pad>", "</s>"})},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", true}}},
          {"decoder", {{"type", "ByteLevel"}}},
          {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", json::array({"\u0120 a"})}}}};
}

json t5(const json& normalizer) {
  json vocab = json::array();
  for (const char* piece : {"<pad>", "</s>", "<unk>", "▁", "a", "▁a", "b"}) vocab.push_back({piece, -1.0 - 0.1 * double(vocab.size())});
  const json metaspace{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}};
  const json end{{"SpecialToken", {{"id", "</s>"}, {"type_id", 0}}}};
  return {{"added_tokens", added({"<pad>", "</s>", "<unk>"})},
          {"normalizer", normalizer},
          {"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace}}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {{{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, end}},
            {"special_tokens", {{"</s>", {{"ids", {1}}}}}}}},
          {"decoder", metaspace},
          {"model", {{"type", "Unigram"}, {"unk_id", 2}, {"vocab", vocab}}}};
}

} // namespace

TEST_CASE("a BertNormalizer strips accents where it says so, else where it makes lower case") {
  const auto split = [](const json& strip, bool lowercase) {
    const auto words = make(bert({{"type", "BertNormalizer"}, {"strip_accents", strip}, {"lowercase", lowercase}}));
    return pieces_of(*words, words->encode("Caf\u00e9", special_tokens::never));
  };
  CHECK(split(nullptr, true) == strings{"cafe"});
  CHECK(split(nullptr, false) == strings{"Caf\u00e9"});
  CHECK(split(false, true) == strings{"caf\u00e9"});
  CHECK(split(true, true) == strings{"cafe"});
}

TEST_CASE("BertProcessing puts two texts together in two segments") {
  const auto words = make(bert({{"type", "BertNormalizer"}}));
  CHECK(pieces_of(*words, words->encode("a cafes.")) == strings{"[CLS]", "a", "cafe", "##s", ".", "[SEP]"});
  CHECK(pieces_of(*words, words->encode("cafess")) == strings{"[CLS]", "[UNK]", "[SEP]"}); // Six characters.
  const auto pair = words->encode_pair("a", ".");
  CHECK(pieces_of(*words, pair.ids) == strings{"[CLS]", "a", "[SEP]", ".", "[SEP]"});
  CHECK(pair.segments == std::vector<uint8_t>{0, 0, 0, 1, 1});
}

TEST_CASE("RobertaProcessing puts two ends between two texts, all of it one segment") {
  auto content = byte_level();
  content["post_processor"] = {{"type", "RobertaProcessing"}, {"sep", {"</s>", 2}}, {"cls", {"<s>", 0}}, {"trim_offsets", true}};
  const auto words = make(content);
  CHECK(pieces_of(*words, words->encode("a a")) == strings{"<s>", "\u0120a", "\u0120a", "</s>"});
  const auto pair = words->encode_pair("a", "b");
  CHECK(pieces_of(*words, pair.ids) == strings{"<s>", "\u0120a", "</s>", "</s>", "\u0120", "b", "</s>"});
  CHECK(pair.segments == std::vector<uint8_t>(7, 0));
  CHECK(words->encode_traced("a a").tokens == std::vector<token>{{0, 0, 0}, {6, 0, 1}, {6, 2, 3}, {2, 0, 0}});
  content["post_processor"]["trim_offsets"] = false;
  CHECK(make(content)->encode_traced("a a").tokens[2] == token{6, 1, 3});
}

TEST_CASE("a template may have several tokens on a side, in both segments") {
  auto content = byte_level();
  const auto special = [](const char* text, int segment) { return json{{"SpecialToken", {{"id", text}, {"type_id", segment}}}}; };
  const auto text = [](const char* which, int segment) { return json{{"Sequence", {{"id", which}, {"type_id", segment}}}}; };
  content["post_processor"] = {{"type", "TemplateProcessing"},
                               {"single", {special("<s>", 0), special("<pad>", 0), text("A", 0), special("</s>", 0)}},
                               {"pair", {text("B", 1), special("</s>", 0), text("A", 0)}},
                               {"special_tokens", {{"<s>", {{"ids", {0}}}}, {"<pad>", {{"ids", {1}}}}, {"</s>", {{"ids", {2}}}}}}};
  const auto words = make(content);
  CHECK(words->encode("a") == std::vector<uint32_t>{0, 1, 6, 2});
  const auto pair = words->encode_pair("a", "a a");
  CHECK(pair.ids == std::vector<uint32_t>{6, 6, 2, 6});
  CHECK(pair.segments == std::vector<uint8_t>{1, 1, 0, 0});
}

TEST_CASE("words cut at white space each get their mark, and white space is no token") {
  const auto words = make(t5(nullptr));
  CHECK(pieces_of(*words, words->encode(" a\tb  \u3000" "ba")) == strings{"▁a", "▁", "b", "▁", "b", "a", "</s>"});
  CHECK(pieces_of(*words, words->encode("  ")) == strings{"</s>"});
  CHECK(words->decode(words->encode(" a  b ")) == "a b");
  CHECK(words->encode_traced(" a b").tokens == std::vector<token>{{5, 1, 2}, {3, 3, 3}, {6, 3, 4}, {1, 0, 0}});
}

TEST_CASE("normalizers apply in the order of the file") {
  const auto split = [](const json& steps, const std::string& text) {
    const auto words = make(t5({{"type", "Sequence"}, {"normalizers", steps}}));
    return pieces_of(*words, words->encode(text, special_tokens::never));
  };
  const json to_b{{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "b"}};
  const json lower{{"type", "Lowercase"}};
  CHECK(split(json::array({lower, to_b}), "A") == strings{"▁", "b"});
  CHECK(split(json::array({to_b, lower}), "A") == strings{"▁a"});
  CHECK(split(json::array({{{"type", "NFKC"}}}), "\uff41") == strings{"▁a"});
  CHECK(split(json::array({{{"type", "NFKD"}}, {{"type", "StripAccents"}}}), "\u00e1") == strings{"▁a"});
  CHECK(split(json::array({{{"type", "Replace"}, {"pattern", {{"Regex", "x{2,}"}}}, {"content", "a"}}}), "xxx") == strings{"▁a"});
}
