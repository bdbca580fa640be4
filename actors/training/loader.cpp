#include "actors/training/loader.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "model/error.hpp"

#include <utility>

namespace troupe {
namespace {

bool is_same(const v1::BatchName& a, const v1::BatchName& b) {
  return a.validation() == b.validation() && a.number() == b.number();
}

v1::TrainingBatch make_batch(const batch_source& source, const v1::BatchName& name) {
  v1::TrainingBatch batch;
  try {
    batch = source(name);
  } catch (const input_error& error) {
    batch.set_error(error.what());
  }
  *batch.mutable_name() = name;
  return batch;
}

} // namespace

v1::TrainingBatch make_training_batch(std::span<const micro_batch> batch, bool evaluate, float smoothing, const dropout& drops) {
  uint64_t targets = 0;
  for (const micro_batch& one : batch) targets += one.target_count();
  v1::TrainingBatch message;
  message.set_targets(targets);
  uint32_t first_row = 0, first_source_row = 0;
  for (uint32_t i = 0; i < batch.size(); ++i) {
    const micro_batch& one = batch[i];
    auto& part = *message.add_micro_batches();
    auto& about = *part.mutable_batch();
    about.set_index(i);
    about.mutable_lengths()->Add(one.lengths.begin(), one.lengths.end());
    about.mutable_source_lengths()->Add(one.source_lengths.begin(), one.source_lengths.end());
    about.set_evaluate(evaluate);
    about.set_loss_scale(targets == 0 ? 0.0f : float(1.0 / double(targets)));
    about.set_smoothing(smoothing);
    if (drops && !evaluate) {
      auto& dropped = *about.mutable_dropout();
      dropped.set_share(drops.share);
      dropped.set_seed(drops.seed);
      dropped.set_update(drops.update);
      dropped.set_first_row(first_row);
      dropped.set_first_source_row(first_source_row);
    }
    first_row += one.rows();
    first_source_row += one.source_rows();
    part.mutable_tokens()->Add(one.tokens.begin(), one.tokens.end());
    part.mutable_targets()->Add(one.targets.begin(), one.targets.end());
    part.mutable_segments()->Add(one.segments.begin(), one.segments.end());
    part.mutable_source()->Add(one.source.begin(), one.source.end());
    part.mutable_pixels()->Add(one.pixels.begin(), one.pixels.end());
  }
  return message;
}

loader_actor::behavior_type loader(loader_actor::stateful_pointer<loader_state> self, batch_source_factory make_source) {
  report_exceptions(self);
  self->state.source = make_source();
  return {[self](const v1::FetchBatch& question) {
            auto& latest = self->state.latest;
            if (latest.empty() || !is_same(latest.get_as<v1::TrainingBatch>(0).name(), question.name()))
              latest = caf::make_message(make_batch(self->state.source, question.name()));
            pass_on(self, asker_of<v1::TrainingBatch>(self), latest);
          },
          [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); }};
}

} // namespace troupe
