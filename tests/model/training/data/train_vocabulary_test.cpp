// Goal: vocabularies made from text are deterministic, encode as the library that made them does, and what cannot be is refused
// with a reason, silently.
#include "data_fixtures.hpp"
#include "model/error.hpp"
#include "model/training/data/train_vocabulary.hpp"
#include "model/training/data/write_tokenizer.hpp"
#include "support/catch.hpp"
#include "support/references.hpp"
#include <numeric>
#include <sentencepiece_processor.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Something like language: a few hundred words, some far more frequent than others.
std::vector<std::string> stories(size_t count, uint64_t seed = 1) {
  rng random(seed);
  static const char* syllables[] = {"ta", "lo", "mi", "ren", "ka", "s", "the", "ing", "o", "ö", "el", "世", "un", "ver", "12", "ch"};
  std::vector<std::string> words;
  for (int i = 0; i < 300; ++i) {
    std::string word;
    for (uint64_t n = 1 + random.below(4); n > 0; --n) word += syllables[random.below(std::size(syllables))];
    words.push_back(word);
  }
  std::vector<std::string> texts;
  for (size_t i = 0; i < count; ++i) {
    std::string text;
    for (uint64_t n = 5 + random.below(60); n > 0; --n) {
      const double u = random.uniform();
      text += words[static_cast<size_t>(u * u * 300)] + (random.below(8) == 0 ? ".\n" : random.below(20) == 0 ? "  " : " ");
    }
    texts.push_back(text);
  }
  return texts;
}

trained_vocabulary train(const data_source_options& options, const vocabulary_options& wanted) {
  const data_source source(options);
  std::vector<uint32_t> all(source.documents());
  std::iota(all.begin(), all.end(), 0u);
  return train_vocabulary(source, all, wanted);
}

std::vector<uint32_t> library_ids(const sentencepiece::SentencePieceProcessor& model, const std::string& text) {
  std::vector<int> ids;
  REQUIRE(model.Encode(text, &ids).ok());
  return {ids.begin(), ids.end()};
}

/// Texts like the trained ones, and others.
std::vector<std::string> test_texts() {
  auto texts = stories(300, 99);
  rng random(8);
  for (int i = 0; i < 2000; ++i) texts.push_back(random_text(random, 1 + random.below(40)));
  for (const char* text : {"a", " ", "  a  b ", "<s>hello</s>", "<0x41>", "▁ta▁lo", "\n\n", "ababab", "tatatata tata", "日本語", "\t", "\u0300x"})
    texts.push_back(text);
  std::erase_if(texts, [](const std::string& text) { return text.empty(); });
  return texts;
}

/// What the `tokenizers` library does with a BPE tokenizer.json, written down once more, slowly: normalise, one symbol a
/// character, merge by rank, leftmost first, bytes for what has no id.
class hugging_face_bpe {
public:
  explicit hugging_face_bpe(const nlohmann::json& file) : file_(file) {
    size_t rank = 0;
    for (const auto& merge : file["model"]["merges"]) ranks_.emplace(std::pair(merge[0].get<std::string>(), merge[1].get<std::string>()), rank++);
  }

  std::vector<uint32_t> encode(const std::string& text) const {
    std::string normal = "▁";
    for (const char c : text) normal += c == ' ' ? std::string("▁") : std::string(1, c);
    std::vector<std::string> symbols;
    for (size_t at = 0; at < normal.size();) {
      const size_t bytes = utf8_next(normal, at).bytes;
      symbols.push_back(normal.substr(at, bytes));
      at += bytes;
    }
    while (true) {
      size_t best_rank = ranks_.size(), best = 0;
      for (size_t i = 0; i + 1 < symbols.size(); ++i)
        if (const auto found = ranks_.find({symbols[i], symbols[i + 1]}); found != ranks_.end() && found->second < best_rank) {
          best_rank = found->second;
          best = i;
        }
      if (best_rank == ranks_.size()) break;
      symbols[best] += symbols[best + 1];
      symbols.erase(symbols.begin() + static_cast<ptrdiff_t>(best) + 1);
    }
    std::vector<uint32_t> ids;
    for (const auto& symbol : symbols) {
      const auto& vocab = file_["model"]["vocab"];
      if (vocab.contains(symbol)) {
        ids.push_back(vocab[symbol]);
        continue;
      }
      for (const char byte : symbol) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(static_cast<uint8_t>(byte)));
        ids.push_back(vocab[name]);
      }
    }
    return ids;
  }

private:
  const nlohmann::json& file_;
  std::map<std::pair<std::string, std::string>, size_t> ranks_;
};

} // namespace

TEST_CASE("a vocabulary has the size and the special pieces that were asked for") {
  const auto source = json_source(stories(400));
  for (const auto method : {vocabulary_method::byte_pair, vocabulary_method::unigram}) {
    const auto made = train(source, {.method = method, .size = 450, .unknown = "<?>", .padding = "<p>", .user_defined = {"<|user|>", "a,\"b\""}});
    const auto& words = made.words;
    CHECK(words.kind == (method == vocabulary_method::unigram ? tokenizer_kind::unigram : tokenizer_kind::sentencepiece));
    REQUIRE(words.pieces.size() == 450);
    CHECK(words.scores.size() == 450);
    CHECK(std::vector(words.pieces.begin(), words.pieces.begin() + 6) == std::vector<std::string>{"<?>", "<s>", "</s>", "<p>", "<|user|>", "a,\"b\""});
    CHECK(words.kinds[0] == piece_kind::unknown);
    CHECK(words.kinds[2] == piece_kind::control);
    CHECK(words.kinds[3] == piece_kind::control);
    CHECK(words.kinds[4] == piece_kind::user_defined);
    CHECK(words.kinds[5] == piece_kind::user_defined);
    CHECK(words.padding == 3u);
    CHECK(std::count(words.kinds.begin(), words.kinds.end(), piece_kind::byte) == 256);
    CHECK(std::count(words.kinds.begin(), words.kinds.end(), piece_kind::normal) == 450 - 6 - 256);
    CHECK(made.documents == 400);
    CHECK(made.bytes > 10000);
  }
  const auto bare = train(source, {.size = 100, .byte_fallback = false});
  CHECK(bare.words.pieces.size() == 100);
  CHECK(std::count(bare.words.kinds.begin(), bare.words.kinds.end(), piece_kind::byte) == 0);
}

TEST_CASE("the same text gives the same vocabulary, and another sample another") {
  const auto source = json_source(stories(600));
  for (const auto method : {vocabulary_method::byte_pair, vocabulary_method::unigram}) {
    vocabulary_options options{.method = method, .size = 450};
    const auto once = train(source, options), again = train(source, options);
    CHECK(once.sentencepiece_model == again.sentencepiece_model);
    CHECK(once.words.pieces == again.words.pieces);
    options.sample_bytes = 40000;
    const auto sampled = train(source, options), sampled_again = train(source, options);
    CHECK(sampled.sentencepiece_model == sampled_again.sentencepiece_model);
    CHECK(sampled.bytes <= 40000);
    CHECK(sampled.documents < 400);
    options.seed = 1;
    CHECK(train(source, options).sentencepiece_model != sampled.sentencepiece_model);
  }
}

TEST_CASE("only the documents named are learnt from") {
  const data_source source(json_source({"aaaa bbbb aaaa bbbb", "zzzz zzzz zzzz", "aaaa cccc"}));
  const std::vector<uint32_t> some{0, 2};
  const auto made = train_vocabulary(source, some, {.size = 267, .character_coverage = 1});
  for (const auto& piece : made.words.pieces) CHECK(piece.find('z') == std::string::npos);
}

TEST_CASE("byte-pair encoding agrees with the library that made the vocabulary") {
  for (const uint32_t size : {300u, 500u, 900u}) {
    const auto made = train(json_source(stories(800)), {.size = size});
    sentencepiece::SentencePieceProcessor model;
    REQUIRE(model.LoadFromSerializedProto(made.sentencepiece_model).ok());
    const auto ours = make_tokenizer(made.words);
    for (const auto& text : test_texts()) {
      INFO(text);
      REQUIRE(ours->encode(text, special_tokens::never) == library_ids(model, text));
    }
  }
}

TEST_CASE("a vocabulary written as tokenizer.json gives the same ids by its merges") {
  const auto made = train(json_source(stories(800)), {.size = 700});
  const auto folder = temporary_folder();
  write_tokenizer_json(folder, made.words);
  const auto file = nlohmann::json::parse(read_file(folder / "tokenizer.json"));
  const hugging_face_bpe theirs(file);
  const auto ours = make_tokenizer(made.words);
  for (const auto& text : test_texts()) {
    INFO(text);
    REQUIRE(ours->encode(text, special_tokens::never) == theirs.encode(text));
  }
  CHECK(file["model"]["byte_fallback"] == true);
  CHECK(file["added_tokens"].size() == 3);
  CHECK(file["post_processor"]["single"][0]["SpecialToken"]["id"] == "<s>");
  const auto config = nlohmann::json::parse(read_file(folder / "tokenizer_config.json"));
  CHECK(config["eos_token"] == "</s>");
  CHECK(config["add_bos_token"] == true);
}

TEST_CASE("merges are ranked by scores, in whatever order pieces are numbered") {
  auto words = train(json_source(stories(800)), {.size = 700}).words;
  const auto first = std::find(words.kinds.begin(), words.kinds.end(), piece_kind::normal) - words.kinds.begin();
  std::reverse(words.pieces.begin() + first, words.pieces.end());
  std::reverse(words.scores.begin() + first, words.scores.end());
  const auto folder = temporary_folder();
  write_tokenizer_json(folder, words);
  const auto file = nlohmann::json::parse(read_file(folder / "tokenizer.json"));
  const hugging_face_bpe theirs(file);
  const auto ours = make_tokenizer(words);
  for (const auto& text : stories(100, 7)) REQUIRE(ours->encode(text, special_tokens::never) == theirs.encode(text));
}

TEST_CASE("a unigram vocabulary is written with its scores, and bytes that no text becomes") {
  const auto made = train(json_source(stories(800)), {.method = vocabulary_method::unigram, .size = 500, .add_bos = false, .add_eos = true});
  const auto folder = temporary_folder();
  write_tokenizer_json(folder, made.words);
  const auto file = nlohmann::json::parse(read_file(folder / "tokenizer.json"));
  const auto& vocab = file["model"]["vocab"];
  REQUIRE(vocab.size() == 500);
  CHECK(file["model"]["unk_id"] == 0);
  double lowest = 0;
  for (size_t id = 0; id < 500; ++id)
    if (made.words.kinds[id] == piece_kind::normal) {
      CHECK(vocab[id][0] == made.words.pieces[id]);
      CHECK(vocab[id][1].get<float>() == made.words.scores[id]);
      lowest = std::min(lowest, vocab[id][1].get<double>());
    }
  CHECK(vocab[10][0] == "<0x07>");
  CHECK(vocab[10][1].get<double>() < 6 * lowest);
  CHECK(file["post_processor"]["single"][1]["SpecialToken"]["id"] == "</s>");
  CHECK(file["post_processor"]["single"].size() == 2);
}

TEST_CASE("Hugging Face's libraries give the same ids, where they are installed") {
  for (const auto method : {vocabulary_method::byte_pair, vocabulary_method::unigram}) {
    const auto made = train(json_source(stories(800)), {.method = method, .size = 450, .add_eos = true});
    sentencepiece::SentencePieceProcessor model;
    REQUIRE(model.LoadFromSerializedProto(made.sentencepiece_model).ok());
    nlohmann::json cases{{"begin", {1}}, {"end", {2}}, {"texts", nlohmann::json::array()}};
    // Not the spelling of special tokens: in it Hugging Face's libraries always find those; and in the spelling of a byte's piece their
    // unigram finds that piece, if its characters have none.
    const auto spells_a_token = [&](const std::string& text) {
      return text.find("<s>") != std::string::npos || (method == vocabulary_method::unigram && text.find("<0x") != std::string::npos);
    };
    for (const auto& text : test_texts())
      if (!spells_a_token(text)) cases["texts"].push_back({{"text", text}, {"ids", library_ids(model, text)}});
    const auto folder = temporary_folder();
    write_tokenizer_json(folder, made.words);
    write_file(folder / "cases.json", cases.dump());
    const int status = std::system((TROUPE_SOURCE_DIR "/tests/tokenizer_json_check " + folder.string()).c_str());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) TROUPE_SKIP("tokenizers is not installed");
    CHECK(status == 0);
  }
}

TEST_CASE("tokenizer.json is what Hugging Face made of the same sentencepiece model") {
  const auto reference = testing::references() / "hf" / "llama";
  if (!std::filesystem::exists(reference / "tokenizer.model")) TROUPE_SKIP("no reference models");
  sentencepiece::SentencePieceProcessor model;
  REQUIRE(model.Load((reference / "tokenizer.model").string()).ok());
  vocabulary words;
  words.kind = tokenizer_kind::sentencepiece;
  words.prefix = space_prefix::always;
  words.drops_first_space = true;
  for (int id = 0; id < model.GetPieceSize(); ++id)
    add_piece(words, model.IdToPiece(id),
              model.IsUnknown(id)   ? piece_kind::unknown
              : model.IsControl(id) ? piece_kind::control
              : model.IsByte(id)    ? piece_kind::byte
                                    : piece_kind::normal,
              model.GetScore(id));
  words.unknown = 0;
  words.bos = 1;
  words.eos = 2;
  words.add_bos = true;
  const auto folder = temporary_folder();
  write_tokenizer_json(folder, words);
  const auto ours = nlohmann::json::parse(read_file(folder / "tokenizer.json"));
  const auto theirs = nlohmann::json::parse(read_file(reference / "tokenizer.json"));
  for (const char* part : {"added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    INFO(part);
    CHECK(ours[part] == theirs[part]);
  }
  CHECK((ours["model"]["vocab"] == theirs["model"]["vocab"]));
  CHECK((ours["model"]["merges"] == theirs["model"]["merges"]));
}

TEST_CASE("a tokenizer that cannot be written is refused and leaves nothing half there") {
  const auto folder = temporary_folder();
  CHECK_THROWS_WITH(write_tokenizer_json(folder, byte_pair_words()), ContainsSubstring("only sentencepiece and unigram"));
  CHECK_THROWS_WITH(write_tokenizer_json(folder / "none", sentencepiece_words()), ContainsSubstring("cannot create the file"));
  auto words = sentencepiece_words();
  words.pieces[270] = "\xFF";
  CHECK_THROWS_WITH(write_tokenizer_json(folder, words), ContainsSubstring("not UTF-8"));
  CHECK(std::filesystem::is_empty(folder));
}

TEST_CASE("what no vocabulary can be made from is refused with a reason, and nothing is printed") {
  const auto log = temporary_path();
  std::fflush(stderr);
  const int kept = ::dup(2);
  REQUIRE(freopen(log.c_str(), "w", stderr) != nullptr);
  const auto reason = [](const std::vector<std::string>& texts, const vocabulary_options& options) -> std::string {
    try {
      train(json_source(texts), options);
    } catch (const input_error& error) {
      return error.what();
    }
    return "made";
  };
  using vo = vocabulary_options;
  const auto too_large = reason({"a b c"}, vo{.size = 5000});
  const auto too_large_unigram = reason({"a b c"}, vo{.method = vocabulary_method::unigram, .size = 5000});
  const auto large_at_most = reason({"a b c"}, vo{.size = 5000, .at_most = true});
  const auto too_small = reason(stories(50), vo{.size = 265});
  const auto tiny = reason(stories(50), vo{.size = 100});
  const auto twice = reason({"a"}, vo{.bos = "<unk>"});
  const auto line_feed = reason({"a"}, vo{.user_defined = {"a\nb"}});
  const auto coverage = reason({"a"}, vo{.character_coverage = 0.5});
  const auto only_nul = reason({std::string(5, '\0')}, vo{});
  train(json_source(stories(100)), vo{.size = 400});
  std::fflush(stderr);
  ::dup2(kept, 2);
  ::close(kept);
  CHECK_THAT(too_large, ContainsSubstring("cannot make the vocabulary: Vocabulary size too high (5000)"));
  CHECK_THAT(too_large_unigram, ContainsSubstring("cannot make the vocabulary: Vocabulary size too high (5000)"));
  CHECK(large_at_most == "made");
  CHECK_THAT(too_small, ContainsSubstring("cannot make the vocabulary: Vocabulary size is smaller than required_chars"));
  CHECK_THAT(tiny, ContainsSubstring("a vocabulary of 100 pieces is too small: special ones and bytes alone are 259"));
  CHECK_THAT(twice, ContainsSubstring("two special pieces are called \"<unk>\""));
  CHECK_THAT(line_feed, ContainsSubstring("special piece"));
  CHECK_THAT(coverage, ContainsSubstring("character coverage"));
  CHECK_THAT(only_nul, ContainsSubstring("no text to learn a vocabulary from"));
  CHECK(read_file(log).empty());
}

TEST_CASE("hostile text makes a vocabulary or a reason, never the end of the process") {
  rng random(12);
  std::vector<std::vector<std::string>> all{
      {"a"}, {"\u2581"}, {"\u2581\u2581\u2581"}, {std::string(5000, 'a')}, {"\u2585"}, {"\u2047 <unk>"}, {"a\tb"}, {"<s></s>"},
      {std::string("a\0b", 3)}, {std::string(300000, 'x') + " y"}, {"\xEF\xBF\xBF"}, {"  "+ std::string(10000, ' ') + "a"}, {"\u00a0\u3000 x"}};
  for (int i = 0; i < 10; ++i) all.push_back({random_text(random, 3000), "x"});
  int made = 0;
  for (const auto& texts : all)
    for (const auto method : {vocabulary_method::byte_pair, vocabulary_method::unigram})
      for (const uint32_t size : {262u, 300u})
        try {
          make_tokenizer([&] {
            auto words = train(json_source(texts), {.method = method, .size = size}).words;
            words.kind = tokenizer_kind::sentencepiece;
            return words;
          }());
          ++made;
        } catch (const input_error&) {
        }
  CHECK(made > 3);
}
