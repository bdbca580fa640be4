#pragma once
#include "model/tokenizer/piece_tokenizer.hpp"

namespace troupe {

/// Sentencepiece's BPE (Kudo and Richardson 2018): begin with characters, merge the neighbours whose piece
/// has the highest score, leftmost on a tie, until nothing merges. Spaces are U+2581; what is no piece
/// becomes its bytes.
class sentencepiece_tokenizer final : public piece_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit sentencepiece_tokenizer(const vocabulary& words);

private:
  void encode_text(std::string_view text, bool first, std::vector<uint32_t>& ids) const override;
  std::string spell(std::string_view piece) const override;
  void append_bytes(std::string_view bytes, std::vector<uint32_t>& ids) const;
};

} // namespace troupe
