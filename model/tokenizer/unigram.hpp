#pragma once
#include "model/tokenizer/space_mark_tokenizer.hpp"

namespace troupe {

/// The unigram model (Kudo 2018): of all ways to cut a word into pieces, the one whose scores have the
/// highest sum (Viterbi). A character that is no piece costs 10 more than the worst piece; neighbours of that
/// kind become their bytes together, or one unknown token. Time O(n d), d the longest piece.
class unigram_tokenizer final : public space_mark_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit unigram_tokenizer(const vocabulary& words);

private:
  void encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const override;

  piece_matcher pieces_;
  double unknown_score_ = 0;
};

} // namespace troupe
