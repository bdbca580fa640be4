#pragma once
// Dropout (Srivastava et al. 2014) as in "Attention Is All You Need" §5.4: on what leaves the embedding, and on the output of each
// sub-layer before it is added to the residual stream.
#include "model/kernels/rows.hpp"
#include <cstdint>

namespace troupe {

/// Which activations of a micro-batch are dropped: decided by a counter-based generator from the element's place alone, so that it does
/// not matter who computes it, when, how often, and how the batch is cut into micro-batches.
struct dropout {
  float share = 0; // Of the elements; 0: none are dropped. Below 1.
  uint64_t seed = 0, update = 0;
  uint32_t first_row = 0; // Of the micro-batch, in the batch.
  uint32_t first_source_row = 0; // The same of the encoder's rows.

  /// For the encoder.
  dropout of_source() const { return {share, seed, update, first_source_row, first_source_row}; }
  explicit operator bool() const { return share > 0; }
};

/// The places in a model.
enum class dropout_site : uint8_t { embedding, attention, feed_forward, cross_attention };

/// x = x / (1 - share) where an element is kept, 0 where it is dropped. The same function is the gradient's: dx from dy.
/// layer: counted through the whole model, a decoder's after the encoder's; of an embedding, that of the first layer above it.
void apply(const dropout& what, uint32_t layer, dropout_site site, mutable_rows x);

} // namespace troupe
