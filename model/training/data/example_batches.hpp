#pragma once
// Batches of examples that are more than a sequence of tokens to be continued: pairs of source and target, texts with labels, whole texts.
#include "model/training/data/image_data.hpp"
#include "model/training/data/length_groups.hpp"
#include "model/training/data/token_file.hpp"
#include "model/training/micro_batch.hpp"
#include <memory>
#include <optional>
#include <vector>

namespace troupe {

/// Example i is document i of the text, or image i, with what belongs to it.
struct example_data {
  std::shared_ptr<const token_file> text = {};    // Of pairs the sources.
  std::shared_ptr<const image_data> images = {};  // In place of it.
  std::shared_ptr<const token_file> targets = {}; // Of pairs; else null.
  std::vector<uint32_t> labels = {};            // Of each document; or none.
  uint32_t start_token = 0;                     // Of pairs: what the decoder begins with.
  uint64_t examples() const { return images ? images->images() : text->documents(); }
};

/// Examples of similar length share a batch (length_groups). What of a text is longer than sequence_length is cut off.
///   pairs   the source goes to the encoder; the decoder gets the start token and the target without its last token, and is to give the
///           target (teacher forcing). Their length is the sum of both.
///   labels  a text, or an image, is to be given its label.
///   else    rows without targets: mask_tokens() makes some.
/// Not thread-safe; the data may be shared.
class example_batches {
public:
  /// documents: which ones, ascending. Throws input_error when there is no example: all are empty.
  example_batches(std::shared_ptr<const example_data> data, std::vector<uint32_t> documents, const batch_options& options);
  uint64_t steps_per_epoch() const { return groups_.steps(); }
  /// Batch `step`, a function of it alone, as micro-batches of at most so many tokens, or of one example where that has more.
  std::vector<micro_batch> at(uint64_t step, uint64_t micro_batch_tokens);
  example_batches(const example_batches&) = delete;

private:
  std::vector<uint32_t> usable(std::vector<uint32_t> documents) const;
  uint32_t length(const token_file& of, uint32_t document) const;
  uint32_t example_length(uint32_t document) const;
  std::vector<uint32_t> read(const token_file& from, uint32_t document) const;
  void add(uint32_t document, micro_batch& to) const;
  void add_image(uint32_t image, micro_batch& to) const;

  std::shared_ptr<const example_data> data_;
  batch_options options_;
  length_groups groups_;
  std::optional<uint64_t> epoch_;
};

} // namespace troupe
