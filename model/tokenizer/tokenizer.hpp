#pragma once
// Text to token ids and back.
#include "model/tokenizer/vocabulary.hpp"
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Whether special tokens take part. as_file: they are added as the file asks (BOS/EOS, [CLS]/[SEP]), and the text of special tokens
/// ("</s>") in the input becomes their ids. in_text: only the latter, for text that has its BOS already. never: neither.
enum class special_tokens : uint8_t { as_file, in_text, never };

/// A piece of a text.
struct token {
  uint32_t id = 0;
  uint32_t begin = 0, end = 0; // The bytes of the text that it stands for. Empty where it stands for none, such as a space put before it.
  bool operator==(const token&) const = default;
};

/// One or two texts as a model takes them.
struct encoding {
  enum class part : uint8_t { special, first, second }; // Where a token is from: added by the template, or of a text.
  std::vector<uint32_t> ids;
  std::vector<uint8_t> segments; // By token: 0 or 1 (Hugging Face: token_type_ids).
  std::vector<part> parts;       // By token.
  std::vector<token> tokens;     // By token: its place in the text that it is of. Ranges never go backwards within a text.
};

/// How to keep an input below a number of tokens, as Hugging Face does it.
struct truncation {
  enum class what : uint8_t { longest_first, only_first, only_second };
  what from = what::longest_first;
  size_t tokens_max = ~size_t(0); // Special tokens included.
};

/// Immutable and thread-safe. Any bytes are acceptable text; invalid UTF-8 is carried through as bytes where the
/// vocabulary has tokens for bytes, and becomes the unknown token where it has not; word_piece, which drops U+FFFD, drops it, too.
class tokenizer {
public:
  virtual ~tokenizer() = default;
  std::vector<uint32_t> encode(std::string_view text, special_tokens special = special_tokens::as_file) const;
  /// The same with segments and places. Throws input_error where `limit` cannot be kept: it leaves no place for a text, or is about a
  /// second text.
  encoding encode_traced(std::string_view text, special_tokens special = special_tokens::as_file, const truncation& limit = {}) const;
  /// Two texts, as the file puts them together.
  encoding encode_pair(std::string_view first, std::string_view second, special_tokens special = special_tokens::as_file,
                       const truncation& limit = {}) const;

  /// The bytes one token stands for. Special tokens give their text when `special_text`, nothing otherwise.
  /// Throws input_error for an id outside the vocabulary.
  virtual std::string token_bytes(uint32_t id, bool special_text = false) const = 0;
  /// The text of all of them; without the space at the beginning where the vocabulary drops it. Not always UTF-8: a
  /// character may be cut.
  virtual std::string decode(std::span<const uint32_t> ids, bool special_text = false) const;
  /// The piece as the vocabulary spells it, for people.
  virtual std::string piece(uint32_t id) const = 0;
  virtual const vocabulary& words() const = 0;

private:
  /// Appends the tokens of a text. Places are only there if it traces.
  virtual void tokenize(std::string_view text, bool with_special, bool traces, std::vector<token>& tokens) const = 0;
};

} // namespace troupe
