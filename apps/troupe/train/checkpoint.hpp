#pragma once
// Checkpoints: folders RUN/checkpoints/step-NNNNNNNN in Hugging Face's layout, with the optimiser's state and where the run was.
#include "actors/training_engine.hpp"
#include "model/model_file.hpp"
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Where a run is, besides its weights: what a resumed run needs to go on as if it had not been interrupted.
struct run_position {
  uint64_t update = 0;
  double best_loss = 0; // Of the validations so far; valid where validations > 0.
  uint64_t best_update = 0, validations = 0, validations_without_improvement = 0;
  double epoch_loss = 0; // Sum over the targets of the epoch so far.
  uint64_t epoch_targets = 0, epoch_hits = 0;
  uint64_t trained_tokens = 0;
  double trained_seconds = 0;
  std::string config; // What must not change between runs, as text.
};

/// Writes RUN/checkpoints/step-NNNNNNNN, whole or not at all: a crash at any moment leaves what was there before. Throws input_error
/// when the disk is full, say; nothing is left behind then.
/// tokenizer: a folder whose files are copied; may be empty.
std::filesystem::path save_checkpoint(const std::filesystem::path& run, const model_file& model, const std::filesystem::path& tokenizer,
                                      const trained_state& state, const run_position& position);

/// The newest whole checkpoint of a run; nothing if there is none. What is left of one that was not finished is removed.
std::optional<std::filesystem::path> newest_checkpoint(const std::filesystem::path& run);

struct loaded_checkpoint {
  trained_state state;
  run_position position;
};
/// Throws input_error for one that is damaged, or of another model than `model`.
loaded_checkpoint load_checkpoint(const std::filesystem::path& folder, const trainable_builder& model);

/// Makes the link RUN/`name` point to a checkpoint, in one step.
void point_to(const std::filesystem::path& run, const std::string& name, const std::filesystem::path& checkpoint);

/// Removes all checkpoints but the newest `kept` and those that links point to.
void remove_old_checkpoints(const std::filesystem::path& run, uint64_t kept);

} // namespace troupe
