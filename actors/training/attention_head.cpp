#include "actors/training/attention_head.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"

namespace troupe {
namespace {

using head_pointer = training_head_actor::stateful_pointer<training_head_state>;

std::vector<uint32_t> lengths_of(const v1::MicroBatch& batch) { return {batch.lengths().begin(), batch.lengths().end()}; }

const_rows input_of(const v1::HeadPass& pass) {
  TROUPE_ASSERT(pass.width() > 0);
  TROUPE_ASSERT(uint32_t(pass.values_size()) % pass.width() == 0);
  return rows_of(pass.values(), uint32_t(pass.values_size()) / pass.width(), pass.width());
}

v1::HeadPassResult make_result(const v1::HeadPass& pass, uint32_t head, uint32_t rows, uint32_t width) {
  v1::HeadPassResult result;
  result.set_epoch(pass.epoch());
  result.set_step(pass.step());
  result.set_micro_batch(pass.batch().index());
  result.set_backward(pass.backward());
  result.set_head(head);
  result.set_width(width);
  allocate(*result.mutable_values(), uint64_t(rows) * width);
  return result;
}

void answer(head_pointer self, v1::HeadPassResult result) {
  if (const auto to = asker_of<v1::HeadPassResult>(self)) self->send(to, std::move(result));
}

void go_forward(head_pointer self, const v1::HeadPass& pass) {
  auto& st = self->state;
  if (!st.forward.admit(pass.batch().index())) return;
  const stopwatch watch;
  const const_rows x = input_of(pass);
  auto result = make_result(pass, st.part.index, x.rows, st.part.output_columns());
  auto& kept = st.kept[pass.batch().index()];
  st.part.forward(x, lengths_of(pass.batch()), rows_of(*result.mutable_values(), x.rows, result.width()), kept.head,
                  training_scratch_of_this_thread());
  if (pass.batch().evaluate()) st.kept.release(pass.batch().index());
  else kept.request = self->current_mailbox_element()->copy_content_to_message(); // Shared, not copied.
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

void go_backward(head_pointer self, const v1::HeadPass& pass) {
  auto& st = self->state;
  if (!st.backward.admit(pass.batch().index())) return;
  const stopwatch watch;
  const auto* kept = st.kept.find(pass.batch().index());
  TROUPE_ASSERT(kept != nullptr);
  const auto& request = kept->request.get_as<v1::HeadPass>(0);
  const const_rows x = input_of(request), gradient = input_of(pass);
  TROUPE_ASSERT(x.rows == gradient.rows);
  const uint32_t columns = st.part.output_columns();
  auto result = make_result(pass, st.part.index, x.rows, x.columns);
  st.part.backward(x, lengths_of(request.batch()), kept->head,
                   some_columns(gradient, st.part.index * columns, columns),
                   rows_of(*result.mutable_values(), x.rows, x.columns), training_scratch_of_this_thread());
  st.kept.release(pass.batch().index());
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

} // namespace

training_head_actor::behavior_type training_head(head_pointer self, training_head_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.part = std::move(config.part);
  st.owner.start(self, std::move(config.owner), st.part.parameters(), {}, parameters_of(st.part.query_norm, st.part.key_norm),
                 {[self] {
                    self->state.kept.release_all();
                    self->state.forward = self->state.backward = {};
                  },
                  [self] { self->state.part.prepare(); }});
  return make_owner_behavior<training_head_actor::behavior_type>(self, [self](const v1::HeadPass& pass) {
    if (!self->state.owner.is_current(pass)) return;
    if (pass.backward()) go_backward(self, pass);
    else go_forward(self, pass);
  });
}

} // namespace troupe
