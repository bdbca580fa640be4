#pragma once
// What a tokenizer is made from, as data.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

// "▁" is U+2581, which stands for a space in the pieces of sentencepiece, character_pair and unigram.
enum class tokenizer_kind : uint8_t {
  none,           // The file has no vocabulary: token ids only.
  sentencepiece,  // Characters merged by the scores of pieces, byte fallback: tokenizer.ggml.model = "llama".
  byte_pair,      // Byte-level BPE with merges: tokenizer.ggml.model = "gpt2", BPE with ByteLevel in tokenizer.json.
  character_pair, // Characters merged by a list of merges, byte fallback: BPE without ByteLevel in tokenizer.json.
  unigram,        // The pieces whose scores have the highest sum: Unigram in tokenizer.json.
  word_piece,     // The longest piece that begins a word, then the longest that goes on: BERT's WordPiece.
  marian,         // The pieces that another vocabulary cuts a text into, by their spelling: source.spm with vocab.json.
};

/// As GGUF numbers them (tokenizer.ggml.token_type).
enum class piece_kind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Whether a text gets a space before it. A "stretch" is the text between two special pieces.
enum class space_prefix : uint8_t {
  none,
  always,             // Each stretch, even one that begins with a space.
  unless_space,       // Each stretch that does not begin with one.
  first_unless_space, // The same, but only what begins the whole text.
};

/// A regular expression that cuts text into words (PCRE2's syntax; \s is Unicode's White_Space).
struct word_pattern {
  std::string expression;
  bool drops_rest = false; // What is between two matches is dropped; otherwise it is a word, too.
  bool operator==(const word_pattern&) const = default;
};

/// A change of the text before it is cut into pieces. What a form or a category is, is Unicode's.
enum class text_rule_kind : uint8_t {
  nfc, nfd, nfkc, nfkd,
  lowercase,
  strip_accents,          // Drops marks that take no space (Mn).
  strip_marks,            // Drops all marks.
  clean,                  // Drops control characters, U+0000 and U+FFFD; white space becomes a space.
  space_around_ideographs, // Chinese characters become words of their own.
  replace,                // `pattern` by `content`; the pattern is a regular expression where is_expression, else a text.
  strip,                  // White space on the left and on the right of the text.
  charsmap,               // `content`, a precompiled map of sentencepiece, as tokenizer.json applies it: by grapheme clusters.
  sentencepiece,          // `content` as sentencepiece applies it, and what its normalizer_spec says about spaces.
};

struct text_rule {
  text_rule_kind kind = text_rule_kind::nfc;
  std::string pattern = {}, content = {};
  bool is_expression = false;
  bool left = false, right = false; // strip.
  bool drops_spaces = false;        // sentencepiece: those around the text, and all but one of several.
  bool adds_space = false;          // sentencepiece: one before the text, unless that is empty.
  bool marks_spaces = true;         // sentencepiece: spaces are "▁".
  bool operator==(const text_rule&) const = default;
};

/// How text is cut into words before all else that does it; white space is dropped.
enum class word_split : uint8_t {
  none,
  white_space,
  bert, // Punctuation characters are words of their own, too.
};

/// What a model's input is made of, in order: special tokens and one or two texts.
struct template_item {
  enum class item_kind : uint8_t { token, first_text, second_text };
  item_kind kind = item_kind::token;
  uint32_t id = 0;     // token.
  uint8_t segment = 0; // 0 or 1; what BERT calls the token type.
  bool operator==(const template_item&) const = default;
};

/// A piece that is found in the text before all else, by the rules of tokenizer.json.
struct added_token {
  uint32_t id = 0;
  bool single_word = false;     // Not beside a letter, digit or underscore.
  bool lstrip = false;          // Takes the white space before it.
  bool rstrip = false;          // Takes the white space after it.
  bool normalized = false;      // Looked for in the normalised text.
};

constexpr size_t chat_template_bytes_max = size_t(1) << 20;

struct vocabulary {
  tokenizer_kind kind = tokenizer_kind::none;
  std::vector<std::string> pieces; // By id, as stored.
  std::vector<float> scores;       // By id; sentencepiece and unigram only.
  std::vector<piece_kind> kinds;   // By id.
  std::vector<std::string> merges; // "left right", by rank; byte_pair and character_pair only.

  // Text to words. Rules are applied in turn; then patterns, each to the words that the one before left.
  std::vector<text_rule> rules;
  word_split split = word_split::none; // unigram, character_pair: each word gets the prefix; word_piece.
  space_prefix prefix = space_prefix::none;
  std::string pre_tokenizer;          // byte_pair: tokenizer.ggml.pre ("gpt-2", "qwen2", ...), a name for patterns.
  std::vector<word_pattern> patterns; // byte_pair: used instead of a name, where there are any.
  bool whole_words_first = false;     // byte_pair: a word that is a piece is that piece, whatever the merges give.
  bool splits_at_spaces = false;      // character_pair, unigram: each "▁" begins a word; nothing merges across.
  bool fuses_unknown = false;         // character_pair, sentencepiece: neighbours that are no pieces become one unknown token.
  bool trims_offsets = false;         // The range of a token in the text begins and ends without white space.
  std::string continuing_prefix;      // word_piece: what pieces begin with that do not begin a word ("##").
  uint32_t word_characters_max = 100; // word_piece: a longer word is unknown.

  // Pieces to text.
  bool drops_first_space = false;     // A text loses the space that it begins with,
  bool drops_first_spaces = false;    // or each piece loses one as long as the text is empty.
  bool cleans_up = false;             // word_piece: no space before punctuation and short forms ("do n't").
  std::string unknown_text;           // What the unknown token stands for in ordinary text.

  /// Nothing: special and user-defined pieces are found by llama.cpp's rule, longest first. Otherwise these are.
  std::optional<std::vector<added_token>> added_tokens;

  std::optional<uint32_t> bos, eos, unknown, padding;
  std::vector<uint32_t> end_of_generation; // Every id that ends a text: eos, and end-of-turn where the file has one.
  bool add_bos = false, add_eos = false;
  /// What goes around a text and around two. Where empty: BOS, the text(s), EOS, as add_bos and add_eos say, the second text and what
  /// follows it being segment 1.
  std::vector<template_item> single, pair;
  /// marian: what cuts a text into pieces. Its ids mean nothing; a piece that is none here is the unknown token.
  std::shared_ptr<const vocabulary> cutter;
  std::string chat_template; // As a Jinja template (model/chat), UTF-8 of at most chat_template_bytes_max; or empty. Not parsed yet.

  std::vector<std::string> warnings; // What files do not say and had to be assumed, or say and cannot mean, for their user to know.
};

/// The token that stands for one to be found, by the names that published vocabularies give it.
std::optional<uint32_t> mask_token(const vocabulary& words);

} // namespace troupe
