#include "model/training/data/batches.hpp"
#include "model/error.hpp"
#include "model/training/data/batch_order.hpp"
#include <string>

namespace troupe {

batches::batches(std::shared_ptr<const token_file> file, std::vector<uint32_t> documents, const batch_options& options)
    : epoch_(0) {
  require_valid(options);
  if (file->vocabulary_size() > uint64_t(1) << 31)
    throw input_error(file->path().string() + ": a vocabulary of more than 2^31 tokens cannot be trained on");
  if (options.padding >= file->vocabulary_size())
    throw input_error("the padding is token " + std::to_string(options.padding) + "; the vocabulary has only " +
                      std::to_string(file->vocabulary_size()));
  for (const uint32_t document : documents) TROUPE_ASSERT(document < file->documents());
  const std::string where = file->path().string();
  order_ = options.mode == batch_mode::packed ? make_packed_order(std::move(file), std::move(documents), options)
                                              : make_length_order(std::move(file), std::move(documents), options);
  if (order_->examples() == 0)
    throw input_error(where + ": there is nothing to predict in the documents chosen: they have less than two tokens");
  if (order_->examples() > 0xFFFFFFFF) throw input_error(where + ": more than 2^32 - 1 examples an epoch");
  order_->begin(0);
}

batches::~batches() = default;
batches::batches(batches&&) noexcept = default;
batches& batches::operator=(batches&&) noexcept = default;

uint64_t batches::steps_per_epoch() const { return order_->steps(); }
uint64_t batches::examples_per_epoch() const { return order_->examples(); }
uint64_t batches::targets_per_epoch() const { return order_->targets(); }
uint64_t batches::documents_too_short() const { return order_->too_short(); }

batch batches::at(uint64_t step) {
  if (const uint64_t epoch = step / steps_per_epoch(); epoch != epoch_) {
    order_->begin(epoch);
    epoch_ = epoch;
  }
  batch out = order_->make(step % steps_per_epoch());
  out.epoch = epoch_;
  out.step = step;
  return out;
}

} // namespace troupe
