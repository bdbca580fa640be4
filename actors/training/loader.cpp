#include "actors/training/loader.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/supervision/liveness.hpp"
#include "model/error.hpp"

#include <utility>

namespace troupe {

loader_actor::behavior_type loader(loader_actor::stateful_pointer<loader_state> self, batch_source_factory make_source) {
  report_exceptions(self);
  self->state.source = make_source();
  return {[self](const v1::FetchBatch& question) {
            v1::TrainingBatch batch;
            try {
              batch = self->state.source(question.name());
            } catch (const input_error& error) {
              batch.set_error(error.what());
            }
            *batch.mutable_name() = question.name();
            if (const auto to = asker_of<v1::TrainingBatch>(self)) self->send(to, std::move(batch));
          },
          [self](const v1::CheckLiveness& check) { answer_liveness_check(self, check); }};
}

} // namespace troupe
