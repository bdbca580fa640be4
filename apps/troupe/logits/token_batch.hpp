#pragma once
// The input of `troupe logits`: token ids in a safetensors file, as Hugging Face's tokenizers pad them, pixels, or features of sound.
#include "model/spec.hpp"
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

namespace troupe {

/// The tokens of one row that take part: columns [first, first + tokens.size()). Positions count from 0 there.
struct token_row {
  uint32_t first = 0;
  std::vector<uint32_t> tokens;   // Empty where the whole row is masked.
  std::vector<uint32_t> segments; // Of each of them; or empty.
};

struct token_batch {
  uint32_t length = 0;         // Columns of every row.
  std::vector<token_row> rows; // At least one.
  uint64_t tokens() const;     // That take part, in all rows.
};

struct model_input {
  token_batch tokens;                 // input_ids: of the source, where the model has an encoder.
  std::optional<token_batch> decoder; // decoder_input_ids: as many rows.
  // pixel_values, in place of tokens: of each row an image, [channels, height, width], whose rows stand for tokens; or input_features, in
  // place of a source's: of each row a sound, [bins, frames].
  std::vector<std::vector<float>> features;
};

/// Reads `pixel_values`, [batch, channels, height, width] or one image without the batch, of the size that the model takes; of a type that
/// holds real numbers. Throws input_error naming file, tensor and reason.
model_input read_images(const std::filesystem::path& path, const image_spec& image);

/// Reads `input_features`, [batch, bins, frames] or one sound without the batch, of the size that the model takes, and decoder_input_ids
/// as below.
model_input read_sounds(const std::filesystem::path& path, const audio_spec& audio);

/// Reads `input_ids`, [batch, length] or [length] (a batch of one), of any integer type, and where there are such
/// `attention_mask` of the same shape: 1 takes part, 0 is padding, on either side but not in between; `token_type_ids` of the same
/// shape; `decoder_input_ids` and `decoder_attention_mask`, which have a length of their own.
/// Throws input_error naming file, tensor, row and reason.
model_input read_model_input(const std::filesystem::path& path);

} // namespace troupe
