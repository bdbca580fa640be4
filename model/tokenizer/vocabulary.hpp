#pragma once
// What a tokenizer is made from, as data.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

// "▁" is U+2581, which stands for a space in the pieces of all kinds but byte_pair.
enum class tokenizer_kind : uint8_t {
  none,           // The file has no vocabulary: token ids only.
  sentencepiece,  // Characters merged by the scores of pieces, byte fallback: tokenizer.ggml.model = "llama".
  byte_pair,      // Byte-level BPE with merges: tokenizer.ggml.model = "gpt2", BPE with ByteLevel in tokenizer.json.
  character_pair, // Characters merged by a list of merges, byte fallback: BPE without ByteLevel in tokenizer.json.
  unigram,        // The pieces whose scores have the highest sum: Unigram in tokenizer.json.
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

/// A piece that is found in the text before all else, by the rules of tokenizer.json.
struct added_token {
  uint32_t id = 0;
  bool single_word = false;     // Not beside a letter, digit or underscore.
  bool lstrip = false;          // Takes the white space before it.
  bool rstrip = false;          // Takes the white space after it.
  bool normalized = false;      // Looked for in the normalised text.
};

struct vocabulary {
  tokenizer_kind kind = tokenizer_kind::none;
  std::vector<std::string> pieces; // By id, as stored.
  std::vector<float> scores;       // By id; sentencepiece and unigram only.
  std::vector<piece_kind> kinds;   // By id.
  std::vector<std::string> merges; // "left right", by rank; byte_pair and character_pair only.

  // Text to words. Patterns are applied in turn, each to the words that the one before left.
  bool compose = false;               // First of all to Unicode's form NFC.
  space_prefix prefix = space_prefix::none;
  std::string pre_tokenizer;          // byte_pair: tokenizer.ggml.pre ("gpt-2", "qwen2", ...), a name for patterns.
  std::vector<word_pattern> patterns; // byte_pair: used instead of a name, where there are any.
  bool whole_words_first = false;     // byte_pair: a word that is a piece is that piece, whatever the merges give.
  bool splits_at_spaces = false;      // character_pair, unigram: each "▁" begins a word; nothing merges across.
  bool fuses_unknown = false;         // character_pair: neighbours that are no pieces become one unknown token.
  bool drops_first_space = false;     // Decoding: a text loses the space that it begins with.

  /// Nothing: special and user-defined pieces are found by llama.cpp's rule, longest first. Otherwise these are.
  std::optional<std::vector<added_token>> added_tokens;

  std::optional<uint32_t> bos, eos, unknown, padding;
  std::vector<uint32_t> end_of_generation; // Every id that ends a text: eos, and end-of-turn where the file has one.
  bool add_bos = false, add_eos = false;
  std::string chat_template; // As a Jinja template, or empty.

  std::vector<std::string> warnings; // What the file does not say and had to be assumed, for its user to know.
};

} // namespace troupe
