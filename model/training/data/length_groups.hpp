#pragma once
#include "model/training/data/batch_options.hpp"
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace troupe {

/// Which documents share a batch when those of similar length do: as many as, all as long as the longest of them, have no more than
/// batch_tokens. Batches come in an order shuffled anew in each epoch, and among documents of equal length each epoch mixes anew. How many
/// batches there are, and of which lengths, is the same in every epoch.
class length_groups {
public:
  /// length: of a document, at least 1.
  length_groups(std::vector<uint32_t> documents, std::function<uint32_t(uint32_t document)> length, const batch_options& options);
  uint64_t steps() const { return begins_.size() - 1; }
  uint64_t examples() const { return documents_.size(); }
  void begin(uint64_t epoch);
  /// Of batch `index` of the epoch that was begun, short ones first.
  std::span<const uint32_t> documents(uint64_t index) const;

private:
  void sort_by_length();
  void group();

  std::vector<uint32_t> documents_;
  std::function<uint32_t(uint32_t)> length_;
  batch_options options_;
  std::vector<uint32_t> begins_; // Where each batch begins in sorted_, and the end.
  // Of the epoch that was begun:
  std::vector<uint32_t> sorted_;      // Documents, short ones first, equal ones shuffled.
  std::vector<uint32_t> batch_order_; // Which batch comes when.
};

} // namespace troupe
