#include "model/error.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include <chrono>
#include <map>

using namespace troupe;

namespace {

std::string mark_spaces(std::string_view text) {
  std::string out = "▁";
  for (const char byte : text)
    out += byte == ' ' ? std::string("▁") : std::string(1, byte);
  return out;
}

std::vector<std::string> characters_of(std::string_view text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const auto step = utf8_next(text, at);
    out.emplace_back(text.substr(at, step.bytes));
    at += step.bytes;
  }
  return out;
}

/// Merging as it is defined, in the obvious and quadratic way. priority(left, right): higher first; NaN: no
/// merge.
template <class priority_function>
std::vector<std::string> merged(std::vector<std::string> parts, const priority_function& priority) {
  for (;;) {
    double best = -1e300;
    size_t at = parts.size();
    for (size_t i = 0; i + 1 < parts.size(); ++i)
      if (const double p = priority(parts[i], parts[i + 1]); p > best) {
        best = p;
        at = i;
      }
    if (at == parts.size())
      return parts;
    parts[at] += parts[at + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(at) + 1);
  }
}

std::vector<std::string> pieces_of(const tokenizer& words, const std::vector<uint32_t>& ids) {
  std::vector<std::string> out;
  for (const uint32_t id : ids)
    out.push_back(words.piece(id));
  return out;
}

using strings = std::vector<std::string>;

strings split(const tokenizer& words, const std::string& text,
              special_tokens special = special_tokens::never) {
  return pieces_of(words, words.encode(text, special));
}

const std::vector<std::string> pre_tokenizers{"",       "gpt-2",       "qwen2",  "qwen35", "llama-bpe",
                                              "smollm", "chatglm-bpe", "gpt-4o", "tekken", "deepseek-v3"};

double seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

TEST_CASE("sentencepiece merges what plain merging by score merges") {
  const auto words = sentencepiece_words();
  const auto tokens = make_tokenizer(words);
  std::map<std::string, double> scores;
  for (size_t id = 0; id < words.pieces.size(); ++id)
    if (words.kinds[id] == piece_kind::normal)
      scores[words.pieces[id]] = words.scores[id];
  const auto priority = [&](const std::string& left, const std::string& right) {
    const auto found = scores.find(left + right);
    return found == scores.end() ? std::nan("") : found->second;
  };
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    const auto text = random_text(random, 1 + random.below(60));
    strings expected;
    for (const auto& part : merged(characters_of(mark_spaces(text)), priority)) {
      if (scores.count(part) != 0) {
        expected.push_back(part);
        continue;
      }
      for (const char byte : part)
        expected.push_back(words.pieces[3 + static_cast<uint8_t>(byte)]);
    }
    CHECK(split(*tokens, text) == expected);
  }
}

TEST_CASE("byte pairs merge as plain merging by rank merges") {
  const auto words = byte_pair_words();
  const auto tokens = make_tokenizer(words);
  std::map<std::string, double> ranks;
  for (size_t rank = 0; rank < words.merges.size(); ++rank)
    ranks[words.merges[rank]] = -static_cast<double>(rank);
  const auto priority = [&](const std::string& left, const std::string& right) {
    const auto found = ranks.find(left + " " + right);
    return found == ranks.end() ? std::nan("") : found->second;
  };
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    std::string word; // Letters only: one word for the pre-tokenizer, one character for each byte.
    for (size_t i = 1 + random.below(60); i > 0; --i)
      word += "abhelowrxyz"[random.below(11)];
    CHECK(split(*tokens, word) == merged(characters_of(word), priority));
  }
}

TEST_CASE("what was encoded decodes to itself") {
  const auto sentencepiece = make_tokenizer(sentencepiece_words());
  for (const auto& name : pre_tokenizers) {
    const auto byte_pair = make_tokenizer(byte_pair_words(name));
    for (uint64_t seed = 1; seed <= 60; ++seed) {
      INFO("pre-tokenizer \"" << name << "\", seed " << seed);
      rng random(seed);
      const auto text =
          seed % 3 == 0 ? random_bytes(random, random.below(200)) : random_text(random, random.below(100));
      CHECK(byte_pair->decode(byte_pair->encode(text)) == text);
      CHECK(sentencepiece->decode(sentencepiece->encode(text)) == (text.empty() ? "" : " " + text));
    }
  }
}

TEST_CASE("spaces begin a sentencepiece text and follow special tokens only where the vocabulary asks") {
  auto words = sentencepiece_words();
  CHECK(split(*make_tokenizer(words), "hello") == strings{"▁hello"});
  CHECK(split(*make_tokenizer(words), "hello</s>hello", special_tokens::as_file)
        == strings{"<s>", "▁hello", "</s>", "▁hello"});
  CHECK(split(*make_tokenizer(words), "").empty());
  words.prefix = space_prefix::none;
  CHECK(split(*make_tokenizer(words), "ab</s>ab", special_tokens::as_file)
        == strings{"<s>", "ab", "</s>", "ab"});
}

TEST_CASE("the text of special tokens is special only where it is wanted") {
  const auto sentencepiece = make_tokenizer(sentencepiece_words());
  CHECK(split(*sentencepiece, "</s><unk>", special_tokens::as_file) == strings{"<s>", "</s>", "<unk>"});
  // "</" + "s>" would make the piece "</s>", and "<s" + ">" "<s>": ordinary text must not reach control
  // tokens.
  CHECK(split(*sentencepiece, "</s>") == strings{"▁", "</", "s>"});
  CHECK(split(*sentencepiece, "<s>") == strings{"▁", "<s", ">"});
  const auto byte_pair = make_tokenizer(byte_pair_words());
  CHECK(split(*byte_pair, "ab<|end|>ab", special_tokens::as_file) == strings{"ab", "<|end|>", "ab"});
  CHECK(byte_pair->decode(byte_pair->encode("ab<|end|>ab")) == "abab");
  CHECK(byte_pair->decode(byte_pair->encode("ab<|end|>ab"), true) == "ab<|end|>ab");
  CHECK(split(*byte_pair, "<|end|>").size() > 1);
}

TEST_CASE("user-defined pieces are found in any text, and control pieces are not") {
  auto words = byte_pair_words();
  const auto user = add_piece(words, "<tool> x", piece_kind::user_defined);
  const auto tokens = make_tokenizer(words);
  for (const auto special : {special_tokens::never, special_tokens::as_file}) {
    const auto ids = tokens->encode("ab<tool> xyz", special);
    CHECK(ids[1] == user);
    CHECK(tokens->decode(ids) == "ab<tool> xyz");
  }
}

TEST_CASE("the longest special piece goes first, then the one further left") {
  auto words = byte_pair_words();
  for (const char* text : {"[ab", "b[cd]", "[a", "[[", "[[["})
    add_piece(words, text, piece_kind::control);
  const auto tokens = make_tokenizer(words);
  const auto special = special_tokens::as_file;
  CHECK(split(*tokens, "[ab[cd]", special)
        == strings{"[a", "b[cd]"}); // The longer one, though further right.
  CHECK(split(*tokens, "[[[[[", special) == strings{"[[[", "[["});
  CHECK(split(*tokens, "[[[[", special) == strings{"[[[", "["});
  CHECK(split(*tokens, "[ab[ab", special) == strings{"[ab", "[ab"});
}

TEST_CASE("beginning and end are added as the vocabulary says") {
  auto words = byte_pair_words();
  words.add_eos = true;
  CHECK(split(*make_tokenizer(words), "ab", special_tokens::as_file) == strings{"ab", "<|end|>"});
  words.add_bos = true;
  CHECK(split(*make_tokenizer(words), "ab", special_tokens::as_file) == strings{"<|end|>", "ab", "<|end|>"});
  CHECK(split(*make_tokenizer(words), "ab", special_tokens::never) == strings{"ab"});
  CHECK(split(*make_tokenizer(words), "", special_tokens::as_file) == strings{"<|end|>", "<|end|>"});
}

TEST_CASE(
    "an end-of-turn token that a file calls normal is a control token, and an ordinary piece stays one") {
  auto words = byte_pair_words();
  words.kinds[*words.eos] = piece_kind::normal;
  words.end_of_generation.push_back(11); // What stands for a missing key in byte-pair files: here a comma.
  const auto tokens = make_tokenizer(words);
  CHECK(tokens->token_bytes(*words.eos).empty());
  CHECK(split(*tokens, "a<|end|>", special_tokens::as_file) == strings{"a", "<|end|>"});
  CHECK(tokens->decode(tokens->encode(",")) == ",");
}

TEST_CASE("unused pieces of a vocabulary may have the same text and are never encoded") {
  auto words = sentencepiece_words();
  for (int i = 0; i < 2; ++i) {
    add_piece(words, "", piece_kind::normal);
    add_piece(words, "[PAD]", piece_kind::unused);
  }
  const auto tokens = make_tokenizer(words);
  CHECK(tokens->decode(tokens->encode("[PAD]")) == " [PAD]");
  CHECK(tokens->token_bytes(static_cast<uint32_t>(words.pieces.size() - 1)).empty());
}

TEST_CASE("pre-tokenizers cut words as their models were trained") {
  // Where a merge crosses the cut of a pre-tokenizer it cannot happen.
  CHECK(split(*make_tokenizer(byte_pair_words("gpt-2")), "123") == strings{"123"});
  CHECK(split(*make_tokenizer(byte_pair_words("llama-bpe")), "1231") == strings{"123", "1"});
  CHECK(split(*make_tokenizer(byte_pair_words("qwen2")), "123") == strings{"1", "2", "3"});
  CHECK(split(*make_tokenizer(byte_pair_words("smollm")), "123") == strings{"1", "2", "3"});
  CHECK(split(*make_tokenizer(byte_pair_words("gpt-2")), "\n\nab") == strings{"Ċ", "Ċ", "ab"});
  CHECK(split(*make_tokenizer(byte_pair_words("qwen2")), "\n\nab") == strings{"ĊĊ", "ab"});
  CHECK(split(*make_tokenizer(byte_pair_words("gpt-2")), "a's") == strings{"a", "'s"});
  CHECK(split(*make_tokenizer(byte_pair_words("deepseek-v3")), "1231") == strings{"123", "1"});
  CHECK(split(*make_tokenizer(byte_pair_words("gpt-2")), "  hello") == strings{"Ġ", "Ġhello"});
}

TEST_CASE("a word that is a piece is that piece for llama-bpe, whatever the merges say") {
  for (const bool llama : {true, false}) {
    auto words = byte_pair_words(llama ? "llama-bpe" : "chatglm-bpe");
    add_piece(words, "Ġwhole", piece_kind::normal);
    CHECK((split(*make_tokenizer(words), "a whole") == strings{"a", "Ġwhole"}) == llama);
  }
}

TEST_CASE("text that a vocabulary cannot represent is the unknown token, or an error that shows the bytes") {
  const auto without_bytes = make_tokenizer(sentencepiece_words(false));
  CHECK(split(*without_bytes, "a€b") == strings{"▁", "a", "<unk>", "b"});
  auto words = byte_pair_words();
  words.pieces[0xE2] = "nothing";
  CHECK_THROWS_WITH(make_tokenizer(words)->encode("a€"), ContainsSubstring("0xE2"));
  words.unknown = add_piece(words, "<unk>", piece_kind::unknown);
  CHECK(split(*make_tokenizer(words), "a€")[1] == "<unk>");
}

TEST_CASE("an inconsistent vocabulary is refused with the reason") {
  auto refused = [](const std::function<void(vocabulary&)>& damage, const std::string& reason,
                    vocabulary words = sentencepiece_words()) {
    damage(words);
    CHECK_THROWS_AS(make_tokenizer(words), input_error);
    CHECK_THROWS_WITH(make_tokenizer(words), ContainsSubstring(reason));
  };
  refused([](auto& w) { w.pieces.pop_back(); }, "kinds");
  refused([](auto& w) { w.scores.pop_back(); }, "scores");
  refused([](auto& w) { w.scores[5] = std::nanf(""); }, "score of piece 5");
  refused([](auto& w) { w.kinds[4] = static_cast<piece_kind>(77); }, "piece 4");
  refused([](auto& w) { w.pieces[4] = "<0xG1>"; }, "piece 4");
  refused([](auto& w) { w.pieces.back() = w.pieces[270]; }, "pieces 270 and");
  refused([](auto& w) { w.bos = 100000; }, "100000");
  refused([](auto& w) { w.end_of_generation.push_back(100000); }, "100000");
  refused([](auto& w) { w.bos.reset(); }, "names none");
  refused([](auto& w) { w.pieces.clear(), w.kinds.clear(); }, "no pieces");
  refused([](auto& w) { w.kind = tokenizer_kind::none; }, "no vocabulary");
  refused([](auto& w) { w.merges[3] = "ab"; }, "merge 3", byte_pair_words());
  refused([](auto& w) { w.merges[3] = "a "; }, "merge 3", byte_pair_words());
  refused([](auto& w) { w.pre_tokenizer = "martian"; }, "\"martian\"", byte_pair_words());
  refused([](auto& w) { w.pre_tokenizer = "martian"; }, "qwen2", byte_pair_words());
}

TEST_CASE("an id outside the vocabulary is refused") {
  const auto words = make_tokenizer(sentencepiece_words());
  const auto beyond = static_cast<uint32_t>(words->words().pieces.size());
  CHECK_THROWS_AS(words->token_bytes(beyond), input_error);
  CHECK_THROWS_AS(words->piece(beyond), input_error);
  CHECK_THROWS_AS(words->decode(std::vector<uint32_t>{0xFFFFFFFF}), input_error);
}

TEST_CASE("bytes that are no text neither crash a tokenizer nor get lost") {
  std::vector<std::shared_ptr<const tokenizer>> all{make_tokenizer(sentencepiece_words())};
  for (const auto& name : pre_tokenizers)
    all.push_back(make_tokenizer(byte_pair_words(name)));
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    auto text = random_bytes(random, random.below(120));
    if (random.below(2) == 0) // Damage in the middle of what is otherwise fine.
      text = random_text(random, 10) + text + random_text(random, 10);
    for (const auto& words : all) {
      const auto ids = words->encode(text, special_tokens::never);
      CHECK(words->decode(ids).ends_with(text));
    }
  }
}

TEST_CASE("a hostile text takes seconds at most") {
  rng random(7);
  const auto texts = [&](size_t size) {
    std::map<std::string, std::string> all{{"letters", std::string(size, 'a')},
                                           {"spaces", std::string(size, ' ')},
                                           {"spaces before a letter", std::string(size, ' ') + "a"},
                                           {"newlines", std::string(size, '\n')},
                                           {"invalid bytes", std::string(size, '\xFF')},
                                           {"random bytes", random_bytes(random, size)}};
    for (size_t i = 0; i < size; ++i) {
      all["nested"] += i < size / 2 ? '(' : ')';
      all["capitals"] += i % 1000 == 999 ? 'a' : 'A';
      all["characters cut short"] += i % 2 == 0 ? '\xE4' : ' ';
      all["half a special token"] += "<|"[i % 2];
    }
    return all;
  };
  // A megabyte takes a second as a rule; the bound is for sanitizers and busy machines. Quadratic time:
  // hours.
  const auto check = [](const std::string& name, const std::string& what, const std::string& text) {
    const auto words =
        make_tokenizer(name == "sentencepiece" ? sentencepiece_words() : byte_pair_words(name));
    INFO(name << ": " << what);
    std::vector<uint32_t> ids;
    CHECK(seconds([&] { ids = words->encode(text); }) < 60);
    CHECK(words->decode(ids).ends_with(text));
  };
  auto names = pre_tokenizers;
  names.push_back("sentencepiece");
  for (const auto& [what, text] : texts(1 << 16))
    for (const auto& name : names)
      check(name, what, text);
  const auto large = texts(1 << 20);
  check("sentencepiece", "a megabyte of letters", large.at("letters"));
  check("gpt-2", "a megabyte of spaces", large.at("spaces before a letter"));
  check("qwen2", "a megabyte of letters", large.at("letters"));
  check("llama-bpe", "a megabyte of random bytes", large.at("random bytes"));
}
