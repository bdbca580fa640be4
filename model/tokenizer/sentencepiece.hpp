#pragma once
#include "model/tokenizer/space_mark_tokenizer.hpp"

namespace troupe {

/// Sentencepiece's BPE (Kudo and Richardson 2018): begin with characters, merge the neighbours whose piece
/// has the highest score, leftmost on a tie, until nothing merges. Spaces are U+2581; what is no piece
/// becomes its bytes.
class sentencepiece_tokenizer final : public space_mark_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit sentencepiece_tokenizer(const vocabulary& words);

private:
  void encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const override;
};

} // namespace troupe
