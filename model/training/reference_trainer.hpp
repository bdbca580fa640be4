#pragma once
// A training step run part after part in one thread, without actors: the oracle that the actors' weights must equal bit for bit.
#include "model/training/dropout.hpp"
#include "model/training/micro_batch.hpp"
#include "model/training/optimiser.hpp"
#include "model/training/trainable_parts.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

struct step_figures {
  double loss = 0;          // Mean over the targets.
  double gradient_norm = 0; // Before clipping.
  uint64_t targets = 0, hits = 0;
};

class reference_trainer {
public:
  explicit reference_trainer(trainable_model model) : model_(std::move(model)) {}

  /// Forward and backward; gradients add up. loss_scale: 1 / the number of targets of the whole batch. logits, where given, receives
  /// [targets.size(), columns].
  loss_sums accumulate(const micro_batch& batch, float loss_scale, float smoothing = 0, std::vector<float>* logits = nullptr,
                       const dropout& drops = {});
  /// The loss alone.
  loss_sums evaluate(const micro_batch& batch, float smoothing = 0);
  /// The norm of the gradients that have been accumulated. Adds those of copies to their owners' first.
  double gradient_norm();
  /// One update, after gradient_norm(); gradients are 0 then. step: from 1.
  void update(const adam_step& step);
  /// All of a step. step: from 1. Of `drops` the update and the rows are filled in.
  step_figures step(const std::vector<micro_batch>& batches, const optimiser_options& options, const rate_schedule& schedule,
                    uint64_t step, float smoothing = 0, dropout drops = {});
  trainable_model& model() { return model_; }

private:
  struct pass;
  trainable_model model_;
  training_scratch scratch_;
};

} // namespace troupe
