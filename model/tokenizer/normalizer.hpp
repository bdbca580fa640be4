#pragma once
// What a text becomes before anything is looked up in it.
#include "model/tokenizer/charsmap.hpp"
#include "model/tokenizer/piece_matcher.hpp"
#include "model/tokenizer/regular_expression.hpp"
#include "model/tokenizer/rewritten_text.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <memory>

namespace troupe {

/// Applies a vocabulary's rules in their order. Immutable and thread-safe. Bytes that are not UTF-8 stay as they are, but that
/// sentencepiece makes U+FFFD of each, and `clean` drops them as if they were.
class normalizer {
public:
  /// Throws input_error for a charsmap or a pattern that is damaged or not supported.
  explicit normalizer(const vocabulary& words);

  /// A stretch of text between special pieces. Where spaces are "▁" in pieces, they are in the result; a "▁" is before it where each
  /// stretch gets one. (A prefix that depends on the text is not put there: tokenizer.json looks for added tokens in between.)
  /// Throws input_error when a rule makes a text more than sixteen times as long.
  rewritten_text apply(rewritten_text text) const;
  std::string apply(std::string_view text) const { return apply(rewritten_text(std::string(text), 0, false)).text(); }

  /// As sentencepiece does it: rules are for the whole text, and its own pieces are looked for in what becomes of it.
  bool is_for_whole_texts() const { return is_for_whole_texts_; }

private:
  struct rule {
    text_rule what;
    std::unique_ptr<const charsmap> map;
    std::unique_ptr<const regular_expression> expression;
  };
  rewritten_text apply(const rule& one, const rewritten_text& text) const;
  rewritten_text map_graphemes(const rewritten_text& text, const charsmap& map) const;
  rewritten_text apply_sentencepiece(const rewritten_text& text, const rule& one) const;
  rewritten_text mark_spaces(const rewritten_text& text) const;

  std::vector<rule> rules_;
  bool is_for_whole_texts_ = false;
  bool marks_spaces_ = false, has_prefix_ = false;
  piece_matcher verbatim_; // User-defined pieces that sentencepiece leaves alone.
};

/// Positions inside a text are 32 bits; escaped spaces take three bytes instead of one.
constexpr size_t text_bytes_max = size_t(1) << 30;

} // namespace troupe
