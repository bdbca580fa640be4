#include "model/error.hpp"
#include "model/training/data/batch_order.hpp"
#include "model/training/data/random_order.hpp"
#include <algorithm>
#include <numeric>

namespace troupe {

namespace {

class length_order final : public batch_order {
public:
  length_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents, const batch_options& options)
      : file_(std::move(file)), options_(options), documents_(std::move(documents)) {
    const uint64_t before = documents_.size();
    std::erase_if(documents_, [&](uint32_t document) { return file_->length(document) < 2; });
    too_short_ = before - documents_.size();
    for (const uint32_t document : documents_) targets_ += row_length(document);
    sorted_ = documents_;
    sort_by_length();
    group();
  }

  uint64_t targets() const override { return targets_; }
  uint64_t examples() const override { return documents_.size(); }
  uint64_t too_short() const override { return too_short_; }
  uint64_t steps() const override { return begins_.size() - 1; }

  void begin(uint64_t epoch) override {
    sorted_ = documents_;
    batch_order_.resize(steps());
    std::iota(batch_order_.begin(), batch_order_.end(), 0u);
    if (options_.shuffle) {
      shuffle(sorted_, options_.seed, epoch, order_purpose::documents);
      shuffle(batch_order_, options_.seed, epoch, order_purpose::batches);
    }
    sort_by_length();
  }

  batch make(uint64_t index) const override {
    const uint32_t first = begins_[batch_order_[index]], last = begins_[batch_order_[index] + 1];
    const uint32_t columns = row_length(sorted_[last - 1]); // The longest.
    batch out = empty_batch(last - first, columns, options_.padding);
    std::vector<uint32_t> tokens;
    for (uint32_t row = 0; row < out.rows; ++row) {
      const uint32_t document = sorted_[first + row];
      tokens.resize(row_length(document) + uint64_t(1));
      file_->read(document, 0, tokens);
      set_row(out, row, tokens);
    }
    return out;
  }

private:
  uint32_t row_length(uint32_t document) const {
    return static_cast<uint32_t>(std::min<uint64_t>(file_->length(document) - 1, options_.sequence_length));
  }

  void sort_by_length() {
    std::stable_sort(sorted_.begin(), sorted_.end(),
                     [&](uint32_t a, uint32_t b) { return row_length(a) < row_length(b); });
  }

  /// Fills batches with the shortest examples first. Depends on the lengths alone, which are the same in every epoch.
  void group() {
    begins_ = {0};
    for (uint32_t i = 0; i < sorted_.size(); ++i)
      if (uint64_t(i + 1 - begins_.back()) * row_length(sorted_[i]) > options_.batch_tokens) begins_.push_back(i);
    if (!sorted_.empty()) begins_.push_back(static_cast<uint32_t>(sorted_.size()));
  }

  std::shared_ptr<const token_file> file_;
  batch_options options_;
  std::vector<uint32_t> documents_;
  uint64_t too_short_ = 0, targets_ = 0;
  std::vector<uint32_t> begins_; // Where each batch begins in sorted_, and the end.
  // Of the epoch that was begun:
  std::vector<uint32_t> sorted_;      // Documents, short ones first, equal ones shuffled.
  std::vector<uint32_t> batch_order_; // Which batch comes when.
};

} // namespace

std::unique_ptr<batch_order> make_length_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents,
                                               const batch_options& options) {
  return std::make_unique<length_order>(std::move(file), std::move(documents), options);
}

} // namespace troupe
