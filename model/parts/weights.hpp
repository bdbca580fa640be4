#pragma once
// Whether the packed weights of a part still are what they were when they were packed, and what to do when they are not.
// Packed weights are immutable and are not repaired in place, because other threads may be reading them: a part with a wrong
// matrix is replaced by one whose matrix was packed anew, in memory of its own. All of it needs a model whose matrices keep sums
// (partition::keep). Sums are kept for each strip, which is 64 rows of a matrix. Not covered: biases, norms and the embedding,
// of which only the patches' weights are packed.
#include "model/parts.hpp"

namespace troupe {

using projection_list = std::vector<const projection*>; // Those with a matrix, in order.
projection_list projections_of(const attention_head_part& part);
projection_list projections_of(const projection_shard_part& part);
projection_list projections_of(const output_shard_part& part);

/// Compares about `bytes_max` bytes, at least one strip, with the sums that were kept, from strip `first` on, counted
/// through all matrices. Returns the strip to go on from; 0 after the last. Throws wrong_bits that names the matrix.
uint32_t verify_weights(const projection_list& weights, uint32_t first, uint64_t bytes_max);

/// The part itself if all its weights are intact; else a copy whose wrong matrices were packed again from the file. Throws input_error,
/// which names the file and the matrix, when the file does not hold (any more) what was loaded from it.
std::shared_ptr<const attention_head_part> with_intact_weights(std::shared_ptr<const attention_head_part> part);
std::shared_ptr<const projection_shard_part> with_intact_weights(std::shared_ptr<const projection_shard_part> part);
std::shared_ptr<const output_shard_part> with_intact_weights(std::shared_ptr<const output_shard_part> part);

/// Flips one bit of all these, the one that `draw` chooses, as a fault of the memory would. For fault plans and tests; no other
/// thread may be reading.
void flip_weight_bit(const projection_list& weights, uint64_t draw);

} // namespace troupe
