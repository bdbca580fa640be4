#include "model/training/data/length_groups.hpp"
#include "model/training/data/random_order.hpp"
#include <algorithm>
#include <numeric>

namespace troupe {

length_groups::length_groups(std::vector<uint32_t> documents, std::function<uint32_t(uint32_t)> length, const batch_options& options)
    : documents_(std::move(documents)), length_(std::move(length)), options_(options), sorted_(documents_) {
  sort_by_length();
  group();
}

void length_groups::begin(uint64_t epoch) {
  sorted_ = documents_;
  batch_order_.resize(steps());
  std::iota(batch_order_.begin(), batch_order_.end(), 0u);
  if (options_.shuffle) {
    shuffle(sorted_, options_.seed, epoch, order_purpose::documents);
    shuffle(batch_order_, options_.seed, epoch, order_purpose::batches);
  }
  sort_by_length();
}

std::span<const uint32_t> length_groups::documents(uint64_t index) const {
  const uint32_t first = begins_[batch_order_[index]], last = begins_[batch_order_[index] + 1];
  return std::span(sorted_).subspan(first, last - first);
}

void length_groups::sort_by_length() {
  std::stable_sort(sorted_.begin(), sorted_.end(), [&](uint32_t a, uint32_t b) { return length_(a) < length_(b); });
}

/// Fills batches with the shortest examples first. Depends on the lengths alone, which are the same in every epoch.
void length_groups::group() {
  begins_ = {0};
  for (uint32_t i = 0; i < sorted_.size(); ++i)
    if (i > begins_.back() && uint64_t(i + 1 - begins_.back()) * length_(sorted_[i]) > options_.batch_tokens) begins_.push_back(i);
  if (!sorted_.empty()) begins_.push_back(static_cast<uint32_t>(sorted_.size()));
}

} // namespace troupe
