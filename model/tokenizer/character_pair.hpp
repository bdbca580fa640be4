#pragma once
#include "model/tokenizer/space_mark_tokenizer.hpp"

namespace troupe {

/// BPE over characters (Sennrich et al. 2016), as tokenizer.json writes sentencepiece's: begin with
/// characters, merge the neighbours of the first rule in the list that fits, leftmost on a tie. Spaces are
/// U+2581; a character that is no piece becomes its bytes.
class character_pair_tokenizer final : public space_mark_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent.
  explicit character_pair_tokenizer(const vocabulary& words);

private:
  struct rule {
    uint32_t rank;
    uint32_t piece; // What the two become.
  };
  void encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const override;

  std::unordered_map<uint64_t, rule> rules_; // By left piece << 32 | right piece.
};

} // namespace troupe
