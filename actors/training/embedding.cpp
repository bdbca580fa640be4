#include "actors/training/embedding.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"

#include <utility>

namespace troupe {
namespace {

using embedding_pointer = training_embedding_actor::stateful_pointer<training_embedding_state>;

std::vector<uint32_t> positions_of(const v1::MicroBatch& batch) {
  std::vector<uint32_t> positions;
  for (const uint32_t length : batch.lengths())
    for (uint32_t position = 0; position < length; ++position) positions.push_back(position);
  return positions;
}

void go_forward(embedding_pointer self, const v1::ForwardBatch& batch) {
  auto& st = self->state;
  if (!st.owner.is_current(batch) || !st.forward.admit(batch.batch().index())) return;
  auto kept = training_embedding_state::kept_batch{{batch.tokens().begin(), batch.tokens().end()}, positions_of(batch.batch()),
                                                             dropout_of(batch.batch())};
  TROUPE_ASSERT(kept.tokens.size() == kept.positions.size());
  TROUPE_ASSERT(batch.targets_size() == batch.tokens_size());
  const uint32_t rows = uint32_t(kept.tokens.size()), width = st.part.table.slice.columns;
  v1::ForwardStates states;
  states.set_epoch(batch.epoch());
  states.set_step(batch.step());
  *states.mutable_batch() = batch.batch();
  states.set_layer(0);
  states.set_width(width);
  *states.mutable_targets() = batch.targets();
  allocate(*states.mutable_values(), uint64_t(rows) * width);
  const mutable_rows out = rows_of(*states.mutable_values(), rows, width);
  st.part.forward(kept.tokens, kept.positions, out);
  apply(kept.drops, 0, dropout_site::embedding, out);
  if (!batch.batch().evaluate()) st.kept[batch.batch().index()] = std::move(kept);
  self->send(st.owner.peer<forward_stage_actor>(st.next), std::move(states));
}

void go_backward(embedding_pointer self, v1::BackwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.backward.admit(states.micro_batch())) return;
  const auto kept = st.kept.find(states.micro_batch());
  TROUPE_ASSERT(kept != st.kept.end());
  const uint32_t rows = uint32_t(kept->second.tokens.size());
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(rows) * states.width());
  const mutable_rows gradient = rows_of(*states.mutable_values(), rows, states.width());
  apply(kept->second.drops, 0, dropout_site::embedding, gradient);
  st.part.backward(kept->second.tokens, kept->second.positions, gradient);
  st.kept.erase(kept);
  v1::BatchDone done;
  done.set_epoch(states.epoch());
  done.set_step(states.step());
  done.set_micro_batch(states.micro_batch());
  done.set_compute_ns(states.compute_ns());
  self->send(st.owner.trainer(), std::move(done));
}

} // namespace

training_embedding_actor::behavior_type training_embedding(embedding_pointer self, training_embedding_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.part = std::move(config.part);
  st.next = std::move(config.next);
  std::vector<parameter*> copies;
  if (st.part.is_tied) copies.push_back(&st.part.table);
  st.owner.start(self, std::move(config.owner), st.part.parameters(), {}, std::move(copies),
                 {[self] {
                    self->state.kept.clear();
                    self->state.forward = self->state.backward = {};
                  },
                  [] {}});
  return make_owner_behavior<training_embedding_actor::behavior_type>(
    self, [self](const v1::ForwardBatch& batch) { go_forward(self, batch); },
    [self](v1::BackwardStates& states) { go_backward(self, states); });
}

} // namespace troupe
