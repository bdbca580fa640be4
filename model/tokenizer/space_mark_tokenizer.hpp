#pragma once
#include "model/tokenizer/merge.hpp"
#include "model/tokenizer/piece_tokenizer.hpp"

namespace troupe {

/// What the tokenizers have in common whose pieces are characters, with "▁" for a space: words, bytes for what is no piece.
class space_mark_tokenizer : public piece_tokenizer {
public:
  using piece_tokenizer::piece_tokenizer;

protected:
  static constexpr uint32_t no_piece = 0xFFFFFFFF;
  /// Appends the tokens of a word (not empty), in which spaces are "▁", and which begins at `offset`. Without splits_at_spaces all of a
  /// text is one word.
  virtual void encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const = 0;
  /// The characters of a word as symbols to be merged: ids of pieces, or no_piece.
  void add_characters(std::string_view word, merge_chain& chain) const;
  /// The pieces of these bytes; where one is missing the unknown token for all of them.
  void append_bytes(std::string_view bytes, uint32_t offset, std::vector<token>& tokens) const;
  /// What is left of a chain of merges; ids are the values of its symbols, where those are pieces.
  void append_symbols(std::string_view word, uint32_t offset, const merge_chain& chain, std::vector<token>& tokens) const;
  bool has_bytes(std::string_view bytes) const;
  /// Scores must be there, one for each piece, and be numbers; throws input_error otherwise.
  void require_scores() const;

private:
  void encode_text(std::string_view text, std::vector<token>& tokens) const final;
  std::string spell(std::string_view piece) const final;
};

} // namespace troupe
