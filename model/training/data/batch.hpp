#pragma once
// What one training step sees.
#include "model/training/micro_batch.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// Rows of tokens and, for each, the token that is to be predicted there. Row r, column c is at r * columns + c.
struct batch {
  static constexpr int32_t ignored = no_target; // A target that does not count.

  uint32_t rows = 0, columns = 0;
  std::vector<uint32_t> tokens;      // [rows, columns]
  std::vector<int32_t> targets;      // [rows, columns]; ignored wherever there is padding.
  std::vector<uint32_t> row_lengths; // [rows]: the columns before the padding; at least 1.
  uint64_t epoch = 0, step = 0;      // step counts from 0 over all epochs.

  bool operator==(const batch&) const = default;
};

/// Targets that count.
uint64_t target_count(const batch& whole);

/// Cuts a batch into batches of whole rows, in order, each of at most tokens_max tokens with padding; what no row of a part needs is
/// left out at the right. Depends on nothing else, so that a resumed run cuts as the first did.
/// Throws input_error when a single row is longer.
std::vector<batch> cut_batch(const batch& whole, uint64_t tokens_max);

} // namespace troupe
