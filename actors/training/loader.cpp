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
