#pragma once
// Cuts text into words before byte-pair merging.
#include "model/tokenizer/regular_expression.hpp"
#include "model/tokenizer/utf8_runs.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// Regular expressions applied one after the other, each to the words the one before left. A match is a word,
/// and so is what is between two matches. Immutable and thread-safe.
class pre_tokenizer {
public:
  /// The vocabulary's own patterns, or those of its pre_tokenizer's name (tokenizer.ggml.pre; empty is "default", as in files
  /// older than the key). Throws input_error for an unknown name, with those that are known, and for a pattern that is no
  /// regular expression or means something else to the library that tokenizer.json is written for (Oniguruma).
  explicit pre_tokenizer(const vocabulary& words);

  /// The words of text, in order, together all of it unless a pattern drops the rest. Bytes that are no UTF-8 are words of their own.
  /// Throws input_error where the regular expression library gives up.
  std::vector<std::string_view> split(std::string_view text) const;

  /// A word that is a piece is that piece, whatever the merges would give.
  bool whole_words_first() const { return whole_words_first_; }

private:
  struct pattern {
    std::unique_ptr<const regular_expression> expression;
    bool drops_rest;
    void split(std::string_view text, std::vector<utf8_run>& words, regular_expression::workspace& work) const;
  };
  std::vector<pattern> patterns_;
  bool whole_words_first_ = false;
};

} // namespace troupe
