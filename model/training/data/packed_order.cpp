#include "model/error.hpp"
#include "model/training/data/batch_order.hpp"
#include "model/training/data/random_order.hpp"
#include <algorithm>
#include <numeric>

namespace troupe {

namespace {

class packed_order final : public batch_order {
public:
  packed_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents, const batch_options& options)
      : file_(std::move(file)), options_(options), documents_(std::move(documents)) {
    for (const uint32_t document : documents_) tokens_ += file_->length(document);
    rows_ = options_.batch_tokens / options_.sequence_length;
  }

  uint64_t targets() const override { return tokens_ == 0 ? 0 : tokens_ - 1; }
  uint64_t examples() const override {
    return (targets() + options_.sequence_length - 1) / options_.sequence_length;
  }
  uint64_t steps() const override { return (examples() + rows_ - 1) / rows_; }

  void begin(uint64_t epoch) override {
    laid_ = documents_;
    if (options_.shuffle) shuffle(laid_, options_.seed, epoch, order_purpose::documents);
    begins_.clear();
    uint64_t begin = 0;
    for (const uint32_t document : laid_) {
      begins_.push_back(begin);
      begin += file_->length(document);
    }
    sequences_.resize(examples());
    std::iota(sequences_.begin(), sequences_.end(), 0u);
    if (options_.shuffle) shuffle(sequences_, options_.seed, epoch, order_purpose::sequences);
  }

  batch make(uint64_t index) const override {
    const uint64_t first = index * rows_;
    const auto rows = static_cast<uint32_t>(std::min(rows_, examples() - first));
    batch out = empty_batch(rows, options_.sequence_length, options_.padding);
    std::vector<uint32_t> tokens;
    for (uint32_t row = 0; row < rows; ++row) {
      const uint64_t begin = uint64_t(sequences_[first + row]) * options_.sequence_length;
      tokens.resize(std::min<uint64_t>(options_.sequence_length + uint64_t(1), tokens_ - begin));
      read(begin, tokens);
      set_row(out, row, tokens);
    }
    return out;
  }

private:
  /// Tokens begin, begin + 1, ... of the stream.
  void read(uint64_t begin, std::span<uint32_t> out) const {
    // The last document that begins there or before; one without tokens begins where its successor does.
    size_t at = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) - begins_.begin()) - 1;
    for (uint64_t within = begin - begins_[at]; !out.empty(); ++at, within = 0) {
      const uint64_t count = std::min<uint64_t>(file_->length(laid_[at]) - within, out.size());
      file_->read(laid_[at], within, out.first(count));
      out = out.subspan(count);
    }
  }

  std::shared_ptr<const token_file> file_;
  batch_options options_;
  std::vector<uint32_t> documents_;
  uint64_t tokens_ = 0, rows_ = 0;
  // Of the epoch that was begun:
  std::vector<uint32_t> laid_;      // The documents as they lie in the stream,
  std::vector<uint64_t> begins_;    // and where each begins.
  std::vector<uint32_t> sequences_; // Which example comes when.
};

} // namespace

std::unique_ptr<batch_order> make_packed_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents,
                                               const batch_options& options) {
  return std::make_unique<packed_order>(std::move(file), std::move(documents), options);
}

} // namespace troupe
