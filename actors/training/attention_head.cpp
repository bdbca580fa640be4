#include "actors/training/attention_head.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"

namespace troupe {
namespace {

using head_pointer = training_head_actor::stateful_pointer<training_head_state>;

const_rows input_of(const v1::HeadPass& pass) {
  TROUPE_ASSERT(pass.width() > 0);
  TROUPE_ASSERT(uint32_t(pass.values_size()) % pass.width() == 0);
  return rows_of(pass.values(), uint32_t(pass.values_size()) / pass.width(), pass.width());
}

/// What a head gets, and how it is cut into sequences.
struct head_input {
  std::vector<uint32_t> lengths, source_lengths;
  sequence_rows x, source;

  head_input(const training_head_state& st, const v1::HeadPass& pass)
      : lengths(lengths_of(pass.batch(), st.of_encoder)), x{input_of(pass), lengths}, source(x) {
    if (!st.part.is_cross) return;
    source_lengths = lengths_of(pass.batch(), true);
    const uint32_t rows = rows_of(pass.batch(), true);
    TROUPE_ASSERT(uint64_t(pass.source_size()) == uint64_t(rows) * pass.width());
    source = {rows_of(pass.source(), rows, pass.width()), source_lengths};
  }
  head_input(const head_input&) = delete;
};

v1::HeadPassResult make_result(const v1::HeadPass& pass, const trainable_head& part, uint32_t rows, uint32_t width) {
  v1::HeadPassResult result;
  result.set_epoch(pass.epoch());
  result.set_step(pass.step());
  result.set_micro_batch(pass.batch().index());
  result.set_backward(pass.backward());
  result.set_head(part.index);
  result.set_is_cross(part.is_cross);
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
  const head_input in(st, pass);
  auto result = make_result(pass, st.part, in.x.rows.rows, st.part.output_columns());
  auto& kept = st.kept[pass.batch().index()];
  st.part.forward(in.x, in.source, rows_of(*result.mutable_values(), in.x.rows.rows, result.width()), kept.head,
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
  const head_input in(st, request);
  const const_rows x = in.x.rows, gradient = input_of(pass);
  TROUPE_ASSERT(x.rows == gradient.rows);
  const uint32_t columns = st.part.output_columns(), source_rows = in.source.rows.rows;
  auto result = make_result(pass, st.part, x.rows, x.columns);
  const mutable_rows dx = rows_of(*result.mutable_values(), x.rows, x.columns);
  if (st.part.is_cross) allocate(*result.mutable_source(), uint64_t(source_rows) * x.columns);
  st.part.backward(in.x, in.source, kept->head, some_columns(gradient, st.part.index * columns, columns), dx,
                   st.part.is_cross ? rows_of(*result.mutable_source(), source_rows, x.columns) : dx, training_scratch_of_this_thread());
  st.kept.release(pass.batch().index());
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

} // namespace

training_head_actor::behavior_type training_head(head_pointer self, training_head_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.part = std::move(config.part);
  st.of_encoder = config.of_encoder;
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
