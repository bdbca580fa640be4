#pragma once
#include "model/tokenizer/merge.hpp"
#include "model/tokenizer/piece_tokenizer.hpp"
#include "model/tokenizer/pre_tokenizer.hpp"

namespace troupe {

/// Byte-level BPE (Sennrich et al. 2016; Radford et al. 2019): a regular expression cuts the text into words,
/// each byte of a word is a symbol, and neighbours merge by the rank of their rule, leftmost on a tie. Pieces
/// are spelled with one printable character per byte; see byte_alphabet in byte_pair.cpp.
class byte_pair_tokenizer final : public piece_tokenizer {
public:
  /// Throws input_error when the vocabulary is inconsistent or its pre-tokenizer unknown.
  explicit byte_pair_tokenizer(const vocabulary& words);

private:
  static constexpr uint32_t no_piece = 0xFFFFFFFF;
  struct rule {
    uint32_t rank;
    uint32_t symbol; // What the two become.
  };

  void encode_text(std::string_view text, std::vector<token>& tokens) const override;
  std::string spell(std::string_view piece) const override;
  void encode_word(std::string_view word, uint32_t offset, merge_chain& chain, std::vector<token>& tokens) const;
  void append_bytes(std::string_view bytes, uint32_t offset, std::vector<token>& tokens) const;

  pre_tokenizer pre_tokenizer_;
  bool whole_words_first_;
  // Symbols are numbered: whatever a byte or a merge rule can make. They need not be pieces.
  std::array<uint32_t, 256> byte_symbols_{};
  std::vector<uint32_t> symbol_pieces_;      // By symbol; no_piece where the vocabulary lacks it.
  std::unordered_map<uint64_t, rule> rules_; // By left symbol << 32 | right symbol.
};

/// Bytes as they stand in its pieces.
std::string spell_bytes(std::string_view bytes);

} // namespace troupe
