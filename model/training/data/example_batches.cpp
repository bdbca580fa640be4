#include "model/training/data/example_batches.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {

namespace {

void append(std::vector<uint32_t>& to, const std::vector<uint32_t>& more) { to.insert(to.end(), more.begin(), more.end()); }

const batch_options& checked(const batch_options& options) {
  require_valid(options);
  return options;
}

std::shared_ptr<const example_data> checked(std::shared_ptr<const example_data> data) {
  TROUPE_ASSERT(data->labels.empty() || data->labels.size() == data->examples());
  TROUPE_ASSERT(!data->targets || data->targets->documents() == data->text->documents());
  return data;
}

} // namespace

example_batches::example_batches(std::shared_ptr<const example_data> data, std::vector<uint32_t> documents, const batch_options& options)
    : data_(checked(std::move(data))), options_(checked(options)),
      groups_(usable(std::move(documents)), [this](uint32_t document) { return example_length(document); }, options) {
  if (groups_.examples() == 0)
    throw input_error(data_->images ? "there are no images among those chosen"
                                    : data_->text->path().string() + ": the documents chosen have no tokens");
}

std::vector<uint32_t> example_batches::usable(std::vector<uint32_t> documents) const {
  if (data_->images) return documents;
  std::erase_if(documents, [&](uint32_t document) {
    return data_->text->length(document) == 0 || (data_->targets && data_->targets->length(document) == 0);
  });
  return documents;
}

uint32_t example_batches::length(const token_file& of, uint32_t document) const {
  return static_cast<uint32_t>(std::min<uint64_t>(of.length(document), options_.sequence_length));
}

uint32_t example_batches::example_length(uint32_t document) const {
  if (data_->images) return data_->images->rows();
  return length(*data_->text, document) + (data_->targets ? length(*data_->targets, document) : 0);
}

std::vector<uint32_t> example_batches::read(const token_file& from, uint32_t document) const {
  std::vector<uint32_t> tokens(length(from, document));
  from.read(document, 0, tokens);
  return tokens;
}

void example_batches::add_image(uint32_t image, micro_batch& to) const {
  const auto& images = *data_->images;
  to.lengths.push_back(images.rows());
  to.tokens.resize(to.tokens.size() + images.rows()); // Their class token is token 0; what the others are does not matter.
  to.pixels.resize(to.pixels.size() + images.elements());
  images.read(image, std::span(to.pixels).last(images.elements()));
  to.targets.push_back(static_cast<int32_t>(data_->labels[image]));
}

void example_batches::add(uint32_t document, micro_batch& to) const {
  if (data_->images) return add_image(document, to);
  const auto text = read(*data_->text, document);
  if (!data_->targets) {
    to.lengths.push_back(static_cast<uint32_t>(text.size()));
    append(to.tokens, text);
    if (data_->labels.empty()) to.targets.resize(to.tokens.size(), no_target);
    else to.targets.push_back(static_cast<int32_t>(data_->labels[document]));
    return;
  }
  const auto target = read(*data_->targets, document);
  to.source_lengths.push_back(static_cast<uint32_t>(text.size()));
  append(to.source, text);
  to.lengths.push_back(static_cast<uint32_t>(target.size()));
  to.tokens.push_back(data_->start_token);
  to.tokens.insert(to.tokens.end(), target.begin(), target.end() - 1);
  to.targets.insert(to.targets.end(), target.begin(), target.end());
}

std::vector<micro_batch> example_batches::at(uint64_t step, uint64_t micro_batch_tokens) {
  if (const uint64_t epoch = step / steps_per_epoch(); epoch != epoch_) {
    groups_.begin(epoch);
    epoch_ = epoch;
  }
  std::vector<micro_batch> parts;
  for (const uint32_t document : groups_.documents(step % steps_per_epoch())) {
    const uint64_t taken = parts.empty() ? 0 : uint64_t(parts.back().rows()) + parts.back().source_rows();
    if (parts.empty() || taken + example_length(document) > micro_batch_tokens) parts.emplace_back();
    add(document, parts.back());
  }
  return parts;
}

} // namespace troupe
