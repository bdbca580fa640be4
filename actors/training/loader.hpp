#pragma once
#include "actors/interfaces/training_roles.hpp"
#include "model/training/dropout.hpp"
#include "model/training/micro_batch.hpp"
#include <functional>
#include <span>

namespace troupe {

/// Batch `name` of a run. A pure function of the name: called again it gives the same batch. What it throws becomes the error of the
/// step that wanted the batch.
using batch_source = std::function<v1::TrainingBatch(const v1::BatchName& name)>;

/// Makes a source for one loader, which is called by one thread at a time. Called by several at once, for a loader that hangs may
/// still be at work when the next one is started.
using batch_source_factory = std::function<batch_source()>;

/// The message that a batch travels in. Without dropout where it is to be evaluated.
v1::TrainingBatch make_training_batch(std::span<const micro_batch> batch, bool evaluate, float smoothing, const dropout& drops);

/// The loader: makes batches, so that the next one is ready when a step ends.
///
/// Answers   every FetchBatch with a TrainingBatch to its sender.
/// Retry     the same question gives the same answer.
/// Restart   loses nothing.
struct loader_state {
  static inline const char* name = "loader";
  batch_source source;
  caf::message latest; // A TrainingBatch, to be sent again if it is asked for again.
};

loader_actor::behavior_type loader(loader_actor::stateful_pointer<loader_state> self, batch_source_factory make_source);

} // namespace troupe
