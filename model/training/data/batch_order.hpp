#pragma once
// What the two modes of batch_options.hpp have in common.
#include "model/training/data/batch.hpp"
#include "model/training/data/batch_options.hpp"
#include "model/training/data/token_file.hpp"
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// The examples of one epoch at a time.
class batch_order {
public:
  virtual ~batch_order() = default;
  virtual uint64_t steps() const = 0;
  virtual uint64_t examples() const = 0;
  virtual uint64_t targets() const = 0;
  virtual uint64_t too_short() const { return 0; }
  /// To be called before make(), and again for another epoch.
  virtual void begin(uint64_t epoch) = 0;
  /// Batch `index` < steps() of the epoch that was begun; epoch and step are the caller's to set.
  virtual batch make(uint64_t index) const = 0;

protected:
  /// rows * columns of padding.
  static batch empty_batch(uint32_t rows, uint32_t columns, uint32_t padding);
  /// Lays tokens 0 .. n of an example, n targets, into a row: each token's target is the next.
  static void set_row(batch& out, uint32_t row, std::span<const uint32_t> tokens);
};

std::unique_ptr<batch_order> make_packed_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents,
                                               const batch_options& options);
std::unique_ptr<batch_order> make_length_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents,
                                               const batch_options& options);

} // namespace troupe
