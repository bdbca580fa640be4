#pragma once
// The batches of a training run: batch number `step` is a function of the data, the options and `step` alone, so that the position
// in the data is nothing but the number of the next step.
#include "model/training/data/batch.hpp"
#include "model/training/data/batch_options.hpp"
#include "model/training/data/token_file.hpp"
#include <memory>
#include <vector>

namespace troupe {

class batch_order; // How the examples of an epoch are laid out: one for each mode.

/// Every example comes exactly once an epoch; the last batch of an epoch may have fewer rows. All epochs have the same number of
/// steps: step s is the (s % steps_per_epoch())th of epoch s / steps_per_epoch().
/// Keeps the order of one epoch, the one asked for last: 16 bytes a document and 4 an example (packed), or 8 a document and
/// 8 a batch. Another
/// epoch is made in one pass over the lengths. Not thread-safe, because of that; the file may be shared.
class batches {
public:
  /// documents: which of the file's, ascending (see split_documents).
  /// Throws input_error for options that cannot be, a padding that is no token, or when there is not one example.
  batches(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents, const batch_options& options);
  ~batches();
  batches(batches&&) noexcept;
  batches& operator=(batches&&) noexcept;

  uint64_t steps_per_epoch() const;
  uint64_t examples_per_epoch() const;
  uint64_t targets_per_epoch() const;
  uint64_t documents_too_short() const; // by_tokens: of less than two tokens.
  batch at(uint64_t step);

private:
  std::unique_ptr<batch_order> order_;
  uint64_t epoch_;
};

} // namespace troupe
