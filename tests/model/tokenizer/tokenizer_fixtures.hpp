#pragma once
// Small vocabularies, and random texts, for tests that need no model file.
#include "model/tokenizer/tokenizer.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <random>

namespace troupe {

/// Random numbers from raw bits, the same with every standard library.
struct rng {
  std::mt19937_64 bits;
  explicit rng(uint64_t seed) : bits(seed) {}
  uint64_t below(uint64_t limit) { return bits() % limit; }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
};

inline uint32_t add_piece(vocabulary& words, const std::string& text, piece_kind kind, float score = 0) {
  words.pieces.push_back(text);
  words.kinds.push_back(kind);
  words.scores.push_back(score);
  return static_cast<uint32_t>(words.pieces.size() - 1);
}

/// <unk> <s> </s>, 256 bytes, some letters, and pieces that grow out of them. Scores fall with the id, as
/// when trained.
inline vocabulary sentencepiece_words(bool with_bytes = true) {
  vocabulary words;
  words.kind = tokenizer_kind::sentencepiece;
  words.prefix = space_prefix::always;
  words.unknown = add_piece(words, "<unk>", piece_kind::unknown);
  words.bos = add_piece(words, "<s>", piece_kind::control);
  words.eos = add_piece(words, "</s>", piece_kind::control);
  words.end_of_generation = {*words.eos};
  words.add_bos = true;
  for (unsigned byte = 0; byte < 256 && with_bytes; ++byte) {
    char text[8];
    snprintf(text, sizeof text, "<0x%02X>", byte);
    add_piece(words, text, piece_kind::byte);
  }
  float score = 0;
  for (const char* text :
       {"he",   "ll",  "▁he", "▁hell", "▁hello", "o▁",     "▁▁", "▁▁▁▁", "ab", "ba", "aba", "aa",
        "aaaa", "wor", "or",  "ld",    "▁wor",   "▁world", "é",  "né",   "<s", "</", "s>",  "世界"})
    add_piece(words, text, piece_kind::normal, score -= 1);
  for (const char* text :
       {"▁", "h", "e", "l", "o", "w", "r", "d", "a", "b", "n", "é", "世", "界", "<", "s", "/", ">"})
    if (std::find(words.pieces.begin(), words.pieces.end(), text) == words.pieces.end())
      add_piece(words, text, piece_kind::normal, score -= 1);
  return words;
}

/// 256 bytes in GPT-2's spelling, merges out of them, and two control tokens.
inline vocabulary byte_pair_words(const std::string& pre_tokenizer = "gpt-2") {
  vocabulary words;
  words.kind = tokenizer_kind::byte_pair;
  words.pre_tokenizer = pre_tokenizer;
  uint32_t extra = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const bool printable = (byte > 0x20 && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
    std::string text;
    append_utf8(text, printable ? byte : extra++);
    add_piece(words, text, piece_kind::normal);
  }
  words.merges = {"h e", "l l",  "he ll", "hell o", "Ġ hello", "Ġ w", "o r",  "Ġw or",
                  "a b", "b a",  "ab a",  "a a",    "aa aa",   "Ã ©", "Ġ Ġ",  "ĠĠ ĠĠ",
                  "1 2", "12 3", "' s",   "Ċ Ċ",    "x y",     "y z", "xy z", "aaaa aaaa"};
  for (auto merged : words.merges) {
    merged.erase(merged.find(' '), 1);
    add_piece(words, merged, piece_kind::normal);
  }
  words.eos = words.bos = add_piece(words, "<|end|>", piece_kind::control);
  add_piece(words, "<|start|>", piece_kind::control);
  words.end_of_generation = {*words.eos};
  return words;
}

/// Text that is rich in what the vocabularies above know, in spaces, and in every length of UTF-8.
inline std::string random_text(rng& random, size_t characters) {
  static const std::vector<std::string> common{"a",     "b",      "aba", " ", "  ",  "h",    "e",      "l",
                                               "hello", " world", "\n",  "1", "123", "é",    "世",     "界",
                                               "'s",    "'LL",    "\t",  ",", "xyz", "\r\n", "\u00a0", "s>"};
  std::string text;
  for (size_t i = 0; i < characters; ++i) {
    if (random.below(4) != 0) {
      text += common[random.below(common.size())];
      continue;
    }
    static constexpr uint32_t limits[] = {0x80, 0x800, 0xD800, 0x110000};
    uint32_t code_point = static_cast<uint32_t>(random.below(limits[random.below(4)]));
    if (code_point >= 0xD800 && code_point < 0xE000)
      code_point -= 0x800; // Surrogates are no characters.
    append_utf8(text, code_point);
  }
  return text;
}

inline std::string random_bytes(rng& random, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i)
    text += static_cast<char>(random.below(256));
  return text;
}

} // namespace troupe
