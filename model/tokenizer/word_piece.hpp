#pragma once
#include "model/tokenizer/piece_tokenizer.hpp"

namespace troupe {

/// WordPiece (Schuster and Nakajima 2012) as BERT uses it (Devlin et al. 2018): of a word the longest piece that it begins with, then the
/// longest of those that begin with the continuing prefix ("##") for what is left, and so on. A word that cannot be used up so, or is too
/// long, is one unknown token. Time O(n d), d the longest piece.
class word_piece_tokenizer final : public piece_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit word_piece_tokenizer(const vocabulary& words);

  /// Words with spaces between them; without those before punctuation where the vocabulary cleans up.
  std::string decode(std::span<const uint32_t> ids, bool special_text) const override;

private:
  void encode_text(std::string_view text, std::vector<token>& tokens) const override;
  std::string spell(std::string_view piece) const override;

  piece_matcher first_, following_; // By what they match: without the prefix.
};

} // namespace troupe
