#pragma once
// What a training run is: a JSON file (docs/training.md), read strictly.
#include "model/tokenizer/vocabulary.hpp"
#include "model/training/data/batch_options.hpp"
#include "model/training/data/data_source.hpp"
#include "model/training/data/prepare_tokens.hpp"
#include "model/training/data/vocabulary_options.hpp"
#include "model/training/optimiser.hpp"
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

struct train_config {
  std::filesystem::path file;   // Where it was read from.
  std::filesystem::path output; // Folder of the run.

  // One of these two.
  std::string model;                // A Hugging Face config.json, as text; what the data says may be absent: complete_model().
  std::filesystem::path checkpoint; // A folder to go on from: its weights and its tokenizer.
  std::optional<vocabulary_options> vocabulary; // To be made from the data; with `model` only.
  std::filesystem::path tokenizer;              // Or: a folder with a tokenizer.json.

  data_source_options data;
  std::optional<data_source_options> validation_data; // Nothing: a share of `data`.
  double validation_share = 0;
  token_options tokens;

  batch_options batches;
  uint64_t micro_batch_tokens = 4096;
  double masked_share = 0.15; // Of tokens, for models that find masked ones.
  uint64_t epochs = 1;
  std::optional<uint64_t> steps; // In place of epochs.

  optimiser_options optimiser;
  rate_schedule schedule; // steps is filled in when the data is known.
  float label_smoothing = 0, dropout = 0;
  float weights_kept = 0;

  uint64_t validate_every = 0;      // Steps; 0: at the end of each epoch.
  uint64_t validation_batches = 0;  // At most; 0: all.
  uint64_t patience = 0;            // Validations without a better loss before the run stops; 0: it does not.
  uint64_t save_every = 0;          // Steps; 0: at each validation.
  uint64_t checkpoints_kept = 2;    // The newest; the best is kept besides.
  uint64_t seed = 0;                // Of weights, order and split.

  std::string identity; // What must not change when a run is resumed: the file without length, validation and saving, as text.
};

/// Relative paths are relative to the file's folder. Throws input_error naming the file, the key and the reason: also for a key that
/// does not exist.
train_config read_train_config(const std::filesystem::path& file);

/// The config.json with what the vocabulary and the data say, where it is absent: vocab_size (input_error where it is smaller than the
/// vocabulary); with an encoder the numbers of special tokens, and what the decoder begins with (BOS, or else EOS); the names of labels
/// (none: absent).
std::string complete_model(const std::string& model, const vocabulary& words, const std::vector<std::string>& labels);

/// A starting point, with a comment for every key.
std::string_view train_config_template();

} // namespace troupe
