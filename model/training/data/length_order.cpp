#include "model/error.hpp"
#include "model/training/data/batch_order.hpp"
#include "model/training/data/length_groups.hpp"
#include <algorithm>

namespace troupe {

namespace {

class length_order final : public batch_order {
public:
  length_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents, const batch_options& options)
      : file_(std::move(file)), options_(options), before_(documents.size()),
        groups_(long_enough(std::move(documents)), [this](uint32_t document) { return row_length(document); }, options) {}
  length_order(const length_order&) = delete;

  uint64_t targets() const override { return targets_; }
  uint64_t examples() const override { return groups_.examples(); }
  uint64_t too_short() const override { return before_ - groups_.examples(); }
  uint64_t steps() const override { return groups_.steps(); }
  void begin(uint64_t epoch) override { groups_.begin(epoch); }

  batch make(uint64_t index) const override {
    const auto documents = groups_.documents(index);
    batch out = empty_batch(static_cast<uint32_t>(documents.size()), row_length(documents.back()), options_.padding);
    std::vector<uint32_t> tokens;
    for (uint32_t row = 0; row < out.rows; ++row) {
      tokens.resize(row_length(documents[row]) + uint64_t(1));
      file_->read(documents[row], 0, tokens);
      set_row(out, row, tokens);
    }
    return out;
  }

private:
  std::vector<uint32_t> long_enough(std::vector<uint32_t> documents) {
    std::erase_if(documents, [&](uint32_t document) { return file_->length(document) < 2; });
    for (const uint32_t document : documents) targets_ += row_length(document);
    return documents;
  }
  uint32_t row_length(uint32_t document) const {
    return static_cast<uint32_t>(std::min<uint64_t>(file_->length(document) - 1, options_.sequence_length));
  }

  std::shared_ptr<const token_file> file_;
  batch_options options_;
  uint64_t before_, targets_ = 0;
  length_groups groups_;
};

} // namespace

std::unique_ptr<batch_order> make_length_order(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents,
                                               const batch_options& options) {
  return std::make_unique<length_order>(std::move(file), std::move(documents), options);
}

} // namespace troupe
