#pragma once
// How a vocabulary is made from text.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

enum class vocabulary_method : uint8_t {
  byte_pair, // Merges the most frequent neighbours, again and again (Sennrich et al. 2016): tokenizer_kind::sentencepiece.
  unigram,   // Keeps the pieces that lose the least likelihood (Kudo 2018): tokenizer_kind::unigram.
};

struct vocabulary_options {
  vocabulary_method method = vocabulary_method::byte_pair;
  uint32_t size = 8192;               // Pieces, special ones and bytes included.
  bool at_most = false;               // A text of few words may give fewer pieces than `size`; else it is refused.
  double character_coverage = 0.9995; // Of the text's characters; the rarest get no piece. In [0.98, 1].
  bool byte_fallback = true;          // 256 pieces for bytes, so that nothing is unknown: line feeds have no other piece.
  bool split_digits = false;          // A digit is never part of a longer piece.
  std::string unknown = "<unk>", bos = "<s>", eos = "</s>"; // Ids 0, 1, 2.
  std::optional<std::string> padding = {};                   // Id 3.
  std::vector<std::string> user_defined = {};               // Found as they are in any text; the ids that follow.
  bool add_bos = true, add_eos = false;                     // What the vocabulary asks of tokenizers.
  uint64_t sample_bytes = uint64_t(32) << 20; // Of text to learn from at most. unigram takes 30 times as much memory, byte_pair 4.
  uint64_t seed = 0;                          // Of the sample, where the text is longer.
};

/// Throws input_error for what cannot be, with the name of the option.
void require_valid(const vocabulary_options& options);

} // namespace troupe
