#pragma once
// How documents become batches.
#include <cstdint>

namespace troupe {

enum class batch_mode : uint8_t {
  /// For language models. The documents of an epoch, in an order shuffled anew, are laid end to end as they were encoded: a stream
  /// of T tokens. Example k has the inputs k L, ..., k L + L - 1 of the stream and the targets k L + 1, ..., k L + L, L being the
  /// sequence length: the token at a seam is the last target of one example and the first input of the next. So each token of the
  /// epoch is a target exactly once, but for the stream's first. The last example is padded. Examples come in an order shuffled anew
  /// too, so that the parts of one long document do not follow each other. All rows have L columns.
  packed,
  /// For examples that must not touch. An example is a document, cut after L + 1 tokens; its targets are its second and later tokens.
  /// A document of less than two tokens is none. Examples of similar length share a batch; the batches are shuffled. Among those of
  /// equal length each epoch mixes anew.
  by_tokens,
};

struct batch_options {
  batch_mode mode = batch_mode::packed;
  uint32_t sequence_length = 512; // Columns at most.
  uint64_t batch_tokens = 16384;  // Tokens of a batch at most, padding included: at least sequence_length, below 2^31.
  uint64_t seed = 0;
  bool shuffle = true;    // No: the order of the documents, or of their lengths, the same in every epoch: for validation.
  uint32_t padding = 0;   // The token where there is none.
};

/// Throws input_error for what cannot be.
void require_valid(const batch_options& options);

} // namespace troupe
