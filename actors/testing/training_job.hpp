#pragma once
// A small training run: a model, made-up batches for it, and what its weights must be after each update, by the sequential reference.
#include "actors/training/run_tracker.hpp"
#include "actors/tree/training_tree.hpp"
#include "model/model_file.hpp"
#include "model/training/reference_trainer.hpp"
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace troupe::testing {

/// Batches of random tokens: sequences of different lengths, some targets ignored.
struct made_up_batches {
  uint32_t vocabulary, longest; // Tokens of a sequence at most; from 3.
  uint32_t targets = 0;         // They are below this.
  bool has_source = false, of_first_row = false;
  uint32_t segments = 0; // How many there are.
  std::optional<image_spec> image = std::nullopt; // Then images, in place of tokens.
  uint32_t micro_batches = 3;
  float dropped = 0;

  std::vector<micro_batch> get(const v1::BatchName& name) const;
};

/// What is kept of a model's parameters after an update.
struct kept_parameter {
  std::vector<float> value, first_moment, second_moment;
};
using kept_parameters = std::map<tensor_slice, kept_parameter>;

/// What the reference gives.
struct reference_run {
  std::vector<step_figures> figures;   // Of each update.
  std::vector<kept_parameters> states; // After each.
  std::vector<double> evaluations;     // The loss of validation batch n after update n + 1, summed over its targets.
};

struct training_job {
  std::shared_ptr<const model_file> file;
  std::shared_ptr<const trainable_builder> model;
  made_up_batches batches;
  optimiser_options optimiser{0.9, 0.95, 1e-8, 0.1, 1.0};
  rate_schedule schedule{schedule_kind::cosine, 0.01, 0.001, 2, 20};

  /// leaf_rows_min: small, so that the matrices of a small model are cut into several leaves.
  training_job(std::shared_ptr<const model_file> of, uint32_t shards, uint32_t leaf_rows_min = 16);

  training_tree_config tree() const;
  model_state first_state() const;
  reference_run by_reference(uint64_t updates) const;
};

/// Two layers, a tied embedding and norms of queries and keys, so that there are copies of both kinds.
training_job make_tiny_training_job(uint32_t shards = 2);
/// An encoder-decoder whose embeddings and output are one table.
training_job make_tiny_translation_job(uint32_t shards = 2);
/// An encoder that gives a sequence one of six labels.
training_job make_tiny_classification_job(uint32_t shards = 2);

/// An encoder that gives an image one of six labels.
training_job make_tiny_image_job(uint32_t shards = 2);

/// Which tensor differs in any bit, and where, as in "tensor layer 1 query (of /replica/0/layer/1/head/0)"; empty if none does.
std::string difference(const model_state& got, const kept_parameters& wanted);

} // namespace troupe::testing
