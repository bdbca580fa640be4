// Goal: sentencepiece's model files are read as sentencepiece reads them, with Marian's second vocabulary too; damaged and hostile ones are
// one clear error.
#include "model/error.hpp"
#include "model/formats/hf_vocabulary.hpp"
#include "model/formats/open_vocabulary.hpp"
#include "model/formats/sentencepiece_model.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/charsmap_fixtures.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include "support/catch.hpp"
#include <fstream>
#include <nlohmann/json.hpp>

using namespace troupe;
using namespace troupe::testing;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {

// Protocol Buffers' wire format.
std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string number(uint32_t field, uint64_t value) { return varint(field << 3) + varint(value); }
std::string bytes(uint32_t field, const std::string& value) { return varint(field << 3 | 2) + varint(value.size()) + value; }
std::string float32(uint32_t field, float value) {
  return varint(field << 3 | 5) + std::string(reinterpret_cast<const char*>(&value), sizeof value);
}

std::string piece(const std::string& text, float score, piece_kind kind = piece_kind::normal) {
  return bytes(1, bytes(1, text) + float32(2, score) + number(3, uint64_t(kind)));
}

constexpr uint64_t unigram = 1, bpe = 2;

struct model_options {
  uint64_t type = unigram;
  bool adds_space = true, drops_spaces = true, marks_spaces = true;
  std::string charsmap = {};
};

std::string model(const std::string& pieces, const model_options& options = {}) {
  const std::string special =
      piece("<unk>", 0, piece_kind::unknown) + piece("<s>", 0, piece_kind::control) + piece("</s>", 0, piece_kind::control);
  const std::string normalizer = bytes(2, options.charsmap) + number(3, options.adds_space) + number(4, options.drops_spaces) +
                                 number(5, options.marks_spaces);
  return special + pieces + bytes(2, number(3, options.type)) + bytes(3, normalizer);
}

const std::string letters = piece("▁", -1) + piece("a", -2) + piece("b", -2) + piece("▁a", -1.5) + piece("ab", -2.5) + piece("c", -9);

std::filesystem::path write_model(const std::string& content, const char* name = "spm.model") {
  const auto folder = temporary_folder();
  std::ofstream(folder / name, std::ios::binary) << content;
  return folder;
}

std::shared_ptr<const tokenizer> make(const std::string& content) {
  return make_tokenizer(read_sentencepiece_model(write_model(content) / "spm.model"));
}

strings split(const tokenizer& words, const std::string& text) {
  strings out;
  for (const uint32_t id : words.encode(text)) out.push_back(words.piece(id));
  return out;
}

} // namespace

TEST_CASE("a sentencepiece model says how spaces and characters are read") {
  CHECK(split(*make(model(letters)), " a  b ") == strings{"▁a", "▁", "b"});
  CHECK(split(*make(model(letters, {.drops_spaces = false})), "a  b ") == strings{"▁a", "▁", "▁", "b", "▁"});
  CHECK(split(*make(model(letters, {.adds_space = false})), "a a") == strings{"a", "▁a"});
  CHECK(split(*make(model(letters + piece(" ", -1), {.marks_spaces = false})), "a a") == strings{" ", "a", " ", "a"});
  CHECK(split(*make(model(letters, {.charsmap = make_charsmap({{"x", "a"}, {"xy", "b c"}})})), "xyx") == strings{"▁", "b", "▁", "c", "a"});
  CHECK(split(*make(model(letters)), "").empty());
}

TEST_CASE("a sentencepiece model of BPE merges by scores") {
  CHECK(split(*make(model(letters, {.type = bpe})), "ab a") == strings{"▁a", "b", "▁a"});
}

TEST_CASE("what a sentencepiece model does not know is one unknown token for a stretch, or its bytes") {
  for (const uint64_t type : {unigram, bpe}) {
    const auto words = make(model(letters, {.type = type}));
    CHECK(split(*words, "a\u4e2d\u6587b") == strings{"▁a", "<unk>", "b"});
    CHECK(words->decode(words->encode("a\u4e2d\u6587b")) == "a \u2047 b");
    CHECK(words->decode(words->encode("\u4e2d")) == " \u2047 ");
    std::string all;
    for (unsigned byte = 0; byte < 256; ++byte) {
      char text[8];
      snprintf(text, sizeof text, "<0x%02X>", byte);
      all += piece(text, 0, piece_kind::byte);
    }
    const auto with_bytes = make(model(letters + all, {.type = type}));
    CHECK(split(*with_bytes, "a\u00e9") == strings{"▁a", "<0xC3>", "<0xA9>"});
    CHECK(with_bytes->decode(with_bytes->encode("a\u00e9 b")) == "a\u00e9 b");
  }
}

TEST_CASE("control pieces of a sentencepiece model are in no text, and user-defined ones in any") {
  const auto words = make(model(letters + piece("a b", 0, piece_kind::user_defined) + piece("<x>", 0, piece_kind::user_defined),
                                {.charsmap = make_charsmap({{"<", "c"}})}));
  CHECK(split(*words, "</s>") == strings{"▁", "c", "<unk>"});
  CHECK(split(*words, "c<x>a") == strings{"▁", "c", "<x>", "a"});
  CHECK(words->words().bos == 1u);
  CHECK(words->words().eos == 2u);
  CHECK(words->words().unknown == 0u);
}

TEST_CASE("a folder with a sentencepiece model alone has its tokenizer, with what tokenizer_config.json adds") {
  const auto folder = write_model(model(letters), "tokenizer.model");
  std::ofstream(folder / "tokenizer_config.json") << json{{"add_bos_token", true}, {"bos_token", "<s>"}};
  CHECK(make_tokenizer(open_vocabulary(folder))->encode("a") == std::vector<uint32_t>{1, 6});
  CHECK(make_tokenizer(open_vocabulary(folder / "tokenizer.model"))->encode("a") == std::vector<uint32_t>{6});
  std::ofstream(folder / "config.json") << json{{"model_type", "nobody knows"}, {"vocab_size", 20}};
  CHECK(open_vocabulary(folder).pieces.size() == 20);
  CHECK_THROWS_WITH(read_hf_vocabulary(folder, 5), ContainsSubstring("has 9 pieces, but the model embeds only 5"));
}

TEST_CASE("a folder without a tokenizer has none") {
  const auto folder = temporary_folder();
  CHECK(open_vocabulary(folder).kind == tokenizer_kind::none);
}

namespace {

std::filesystem::path write_marian(const json& vocab, const json& config = json::object()) {
  const auto folder = write_model(model(letters), "source.spm");
  std::ofstream(folder / "vocab.json") << vocab;
  std::ofstream(folder / "tokenizer_config.json") << config;
  return folder;
}

const json marian_vocab{{"</s>", 0}, {"<unk>", 1}, {"▁a", 2}, {"b", 3}, {"?", 4}, {"<pad>", 5}, {">>fr<<", 6}, {"▁", 7}, {"▁ja", 8}};

} // namespace

TEST_CASE("Marian cuts by the source's model and numbers by vocab.json") {
  const auto words = make_tokenizer(open_vocabulary(write_marian(marian_vocab)));
  CHECK(split(*words, "a b") == strings{"▁a", "▁", "b", "</s>"});
  CHECK(split(*words, "bb") == strings{"▁", "b", "b", "</s>"});
  CHECK(split(*words, "a?") == strings{"▁a", "?", "</s>"}); // Unknown to the model, a piece of vocab.json all the same.
  CHECK(split(*words, "a??") == strings{"▁a", "<unk>", "</s>"});
  CHECK(split(*words, "ac") == strings{"▁a", "<unk>", "</s>"}); // The other way round.
  CHECK(split(*words, "a</s>a") == strings{"▁a", "</s>", "▁a", "</s>"});
  CHECK(words->words().end_of_generation == std::vector<uint32_t>{0});
  CHECK(words->encode_pair("a", "b").ids == std::vector<uint32_t>{2, 7, 3, 0});
}

TEST_CASE("Marian's language code is one token, and no text anywhere") {
  const auto words = make_tokenizer(open_vocabulary(write_marian(marian_vocab)));
  CHECK(split(*words, ">>fr<< a") == strings{">>fr<<", "▁a", "</s>"});
  CHECK(split(*words, ">>de<< a") == strings{"<unk>", "▁a", "</s>"});
  CHECK(split(*words, "a >>fr<<b") == strings{"▁a", "▁", "b", "</s>"});
  CHECK(split(*words, "a</s>>>fr<<b") == strings{"▁a", "</s>", ">>fr<<", "▁", "b", "</s>"});
  const auto found = words->encode_traced(">>fr<< a?");
  CHECK(found.tokens == std::vector<token>{{6, 0, 6}, {2, 7, 8}, {4, 8, 9}, {0, 0, 0}});
  CHECK(words->encode(">>fr<<a", special_tokens::never).front() != 6);
}

TEST_CASE("Marian's texts have a space behind special tokens and none around them") {
  const auto words = make_tokenizer(open_vocabulary(write_marian(marian_vocab)));
  const std::vector<uint32_t> ids{8, 3, 2, 1, 2, 0};
  CHECK(words->decode(ids) == "jab a a");
  CHECK(words->decode(ids, true) == "jab a<unk> a</s>");
  CHECK_THROWS_AS(words->decode(std::vector<uint32_t>{9}), input_error);
}

TEST_CASE("a Marian folder that lacks what it needs is refused by name") {
  const auto refused = [](const std::filesystem::path& folder, const std::string& reason) {
    CHECK_THROWS_AS(open_vocabulary(folder), input_error);
    CHECK_THROWS_WITH(open_vocabulary(folder), ContainsSubstring(reason));
  };
  auto vocab = marian_vocab;
  vocab.erase("<pad>");
  refused(write_marian(vocab), "\"<pad>\" is not in the vocabulary");
  refused(write_marian(marian_vocab, {{"unk_token", "?!"}}), "unk_token: \"?!\" is not in the vocabulary");
  vocab = marian_vocab;
  vocab["b"] = 2;
  refused(write_marian(vocab), "is also that of");
  refused(write_marian(json::array()), "vocab.json");
  refused(write_model(model(letters), "source.spm"), "vocab.json");
}

TEST_CASE("a damaged sentencepiece model is refused with the place") {
  const auto refused = [](const std::string& content, const std::string& reason) {
    const auto path = write_model(content) / "spm.model";
    CHECK_THROWS_AS(read_sentencepiece_model(path), input_error);
    CHECK_THROWS_WITH(read_sentencepiece_model(path), ContainsSubstring(path.string() + ": ") && ContainsSubstring(reason));
  };
  const auto good = model(letters);
  refused("", "has no pieces");
  refused(varint(1 << 3 | 2) + varint(1000) + "abc", "byte 0: field 1 has 1000 bytes, but only 3 follow");
  refused(good + varint(1 << 3 | 2), "a number is cut off");
  refused(std::string(11, '\xff'), "more than ten bytes");
  refused(varint(7 << 3 | 3), "of the type 3");
  refused(varint(0), "there is no field 0");
  refused(bytes(1, varint(2 << 3 | 5) + "ab"), "byte 2: field 2 is cut off");
  refused(number(1, 5), "byte 0: field 1: wanted a message");
  refused(bytes(1, number(1, 5)), "byte 2: field 1: wanted a string");
  refused(bytes(1, bytes(2, "x")), "byte 2: field 2: wanted a float");
  refused(good + bytes(1, bytes(1, "")), "piece 9 is empty");
  refused(good + piece("x", std::nanf("")), "the score of piece 9");
  refused(good + bytes(1, bytes(1, "x") + number(3, 7)), "piece 9 is of the unknown kind 7");
  refused(good + piece("x", 0, piece_kind::unknown), "more than one unknown piece");
  refused(piece("a", 0), "has no unknown piece");
  refused(model(letters, {.type = 4}), "the model type char is not supported");
  refused(model(letters, {.type = 77}), "the model type 77 is not supported");
  refused(model(letters, {.charsmap = "abcdefgh"}), "the precompiled charsmap says");
  refused(good + bytes(2, number(24, 1)), "treat_whitespace_as_suffix");
  refused(good + bytes(5, bytes(2, "x")), "denormalizer_spec");
  CHECK_THROWS_WITH(make(good + piece("a", 0)), ContainsSubstring("are both spelled"));
}

TEST_CASE("a sentencepiece model with any bytes changed is read, or refused") {
  const auto good = model(letters, {.charsmap = make_charsmap({{"x", "a"}})});
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    auto content = good;
    if (random.below(4) == 0) content.resize(random.below(content.size()));
    for (uint64_t i = 0; i < 1 + random.below(3); ++i) content[random.below(content.size())] = static_cast<char>(random.below(256));
    try {
      const auto words = make(content);
      words->decode(words->encode(random_text(random, 20)));
    } catch (const input_error&) {
    }
  }
}

TEST_CASE("a megabyte of one word costs no more than its length") {
  for (const uint64_t type : {unigram, bpe}) {
    const auto words = make(model(letters, {.type = type}));
    const std::string text(1 << 20, 'a');
    CHECK(words->encode(text).size() == text.size());
  }
}
