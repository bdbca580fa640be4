#pragma once
#include "actors/interfaces/training_roles.hpp"
#include <functional>

namespace troupe {

/// Batch `name` of a run. A pure function of the name: called again it gives the same batch. Called from any thread, one call at a
/// time for each copy. What it throws becomes the error of the step that wanted the batch.
using batch_source = std::function<v1::TrainingBatch(const v1::BatchName& name)>;

/// The loader: makes batches, so that the next one is ready when a step ends.
///
/// Answers   every FetchBatch with a TrainingBatch to its sender.
/// Retry     the same question gives the same answer.
/// Restart   loses nothing.
struct loader_state {
  static inline const char* name = "loader";
  batch_source source;
};

loader_actor::behavior_type loader(loader_actor::stateful_pointer<loader_state> self, batch_source source);

} // namespace troupe
