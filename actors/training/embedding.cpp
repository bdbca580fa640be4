#include "actors/training/embedding.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"

#include <utility>

namespace troupe {
namespace {

using embedding_pointer = training_embedding_actor::stateful_pointer<training_embedding_state>;

using batch_state = training_embedding_state::kept_batch;
using token_field = google::protobuf::RepeatedField<uint32_t>;

batch_state begin_batch(embedding_pointer self, const v1::MicroBatch& batch, const token_field& tokens) {
  const bool of_encoder = self->state.config.of_encoder;
  batch_state kept{{tokens.begin(), tokens.end()}, positions_of(lengths_of(batch, of_encoder)), {}, dropout_of(batch, of_encoder), {}, {}};
  TROUPE_ASSERT(kept.tokens.size() == kept.positions.size());
  TROUPE_ASSERT(batch.source_lengths_size() == 0 || batch.source_lengths_size() == batch.lengths_size());
  return kept;
}

/// Sends the micro-batch's rows to layer 0. states: what travels with them.
void send_rows(embedding_pointer self, batch_state kept, v1::ForwardStates states) {
  auto& st = self->state;
  const uint32_t rows = uint32_t(kept.tokens.size()), width = st.config.part.table.slice.columns;
  states.set_layer(0);
  states.set_width(width);
  allocate(*states.mutable_values(), uint64_t(rows) * width);
  const mutable_rows out = rows_of(*states.mutable_values(), rows, width);
  st.config.part.forward(kept.input(), out, training_scratch_of_this_thread());
  apply(kept.drops, st.config.first_layer, dropout_site::embedding, out);
  if (!states.batch().evaluate()) st.kept[states.batch().index()] = std::move(kept);
  self->send(st.owner.peer<forward_stage_actor>(st.config.next), std::move(states));
}

void go_forward(embedding_pointer self, const v1::ForwardBatch& batch) {
  auto& st = self->state;
  if (!st.owner.is_current(batch) || !st.forward.admit(batch.batch().index())) return;
  TROUPE_ASSERT(st.config.previous.empty());
  TROUPE_ASSERT(batch.targets_size() == batch.tokens_size() || batch.targets_size() == batch.batch().lengths_size());
  auto kept = begin_batch(self, batch.batch(), st.config.of_encoder ? batch.source() : batch.tokens());
  v1::ForwardStates states;
  states.set_epoch(batch.epoch());
  states.set_step(batch.step());
  *states.mutable_batch() = batch.batch();
  *states.mutable_targets() = batch.targets();
  if (st.config.of_encoder) *states.mutable_tokens() = batch.tokens();
  else kept.segments.assign(batch.segments().begin(), batch.segments().end());
  kept.pixels.assign(batch.pixels().begin(), batch.pixels().end());
  send_rows(self, std::move(kept), std::move(states));
}

/// What the encoder gave has come.
void go_on_forward(embedding_pointer self, v1::ForwardStates& encoded) {
  auto& st = self->state;
  if (!st.owner.is_current(encoded) || !st.forward.admit(encoded.batch().index())) return;
  TROUPE_ASSERT(!st.config.previous.empty());
  const uint32_t width = encoded.width(), source_rows = rows_of(encoded.batch(), true);
  TROUPE_ASSERT(width == st.config.part.table.slice.columns);
  TROUPE_ASSERT(uint64_t(encoded.values_size()) == uint64_t(source_rows) * width);
  auto kept = begin_batch(self, encoded.batch(), encoded.tokens());
  v1::ForwardStates states;
  states.set_epoch(encoded.epoch());
  states.set_step(encoded.step());
  states.mutable_batch()->Swap(encoded.mutable_batch());
  states.mutable_targets()->Swap(encoded.mutable_targets());
  states.set_compute_ns(encoded.compute_ns());
  if (const auto& norm = st.config.part.source_norm) {
    kept.source.Swap(encoded.mutable_values());
    allocate(*states.mutable_source(), uint64_t(source_rows) * width);
    norm->forward(rows_of(std::as_const(kept.source), source_rows, width), rows_of(*states.mutable_source(), source_rows, width));
  } else {
    states.mutable_source()->Swap(encoded.mutable_values());
  }
  send_rows(self, std::move(kept), std::move(states));
}

/// gradient: of what the encoder gave.
void send_back(embedding_pointer self, const v1::BackwardStates& states, batch_state& kept, float_field gradient) {
  auto& st = self->state;
  const uint32_t width = states.width(), rows = uint32_t(gradient.size()) / width;
  v1::BackwardStates back;
  back.set_epoch(states.epoch());
  back.set_step(states.step());
  back.set_micro_batch(states.micro_batch());
  back.set_width(width);
  back.set_compute_ns(states.compute_ns());
  if (auto& norm = st.config.part.source_norm) {
    TROUPE_ASSERT(kept.source.size() == gradient.size());
    back.mutable_values()->Resize(gradient.size(), 0.0f);
    norm->backward(rows_of(std::as_const(kept.source), rows, width), rows_of(std::as_const(gradient), rows, width),
                   rows_of(*back.mutable_values(), rows, width));
  } else {
    back.mutable_values()->Swap(&gradient);
  }
  self->send(st.owner.peer<backward_stage_actor>(st.config.previous), std::move(back));
}

void go_backward(embedding_pointer self, v1::BackwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.backward.admit(states.micro_batch())) return;
  const auto found = st.kept.find(states.micro_batch());
  TROUPE_ASSERT(found != st.kept.end());
  batch_state kept = std::move(found->second);
  st.kept.erase(found);
  const uint32_t rows = uint32_t(kept.tokens.size());
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(rows) * states.width());
  const mutable_rows gradient = rows_of(*states.mutable_values(), rows, states.width());
  apply(kept.drops, st.config.first_layer, dropout_site::embedding, gradient);
  st.config.part.backward(kept.input(), gradient, training_scratch_of_this_thread());
  if (!st.config.previous.empty()) return send_back(self, states, kept, std::move(*states.mutable_source()));
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
  st.config = std::move(config);
  auto& part = st.config.part;
  std::vector<parameter*> copied, copies;
  if (part.is_tied) copies.push_back(&part.table);
  else if (!st.config.owner.holders.empty()) copied.push_back(&part.table);
  st.owner.start(self, st.config.owner, part.parameters(), std::move(copied), std::move(copies),
                 {[self] {
                    self->state.kept.clear();
                    self->state.forward = self->state.backward = {};
                  },
                  [self] { self->state.config.part.prepare(); }});
  return make_owner_behavior<training_embedding_actor::behavior_type>(
    self, [self](const v1::ForwardBatch& batch) { go_forward(self, batch); },
    [self](v1::ForwardStates& states) { go_on_forward(self, states); },
    [self](v1::BackwardStates& states) { go_backward(self, states); });
}

} // namespace troupe
