#include "actors/training/projection_shard.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"

namespace troupe {
namespace {

using shard_pointer = training_shard_actor::stateful_pointer<training_shard_state>;
using output_shard_pointer = training_output_shard_actor::stateful_pointer<training_output_shard_state>;

template <class Self> void answer(Self* self, v1::ShardPassResult result) {
  if (const auto to = asker_of<v1::ShardPassResult>(self)) self->send(to, std::move(result));
}

v1::ShardPassResult make_result(const v1::ShardPass& pass, uint32_t shard, uint32_t matrices, uint32_t width) {
  v1::ShardPassResult result;
  result.set_epoch(pass.epoch());
  result.set_step(pass.step());
  result.set_micro_batch(pass.micro_batch());
  result.set_backward(pass.backward());
  result.set_projection(pass.projection());
  result.set_shard(shard);
  result.set_width(width);
  allocate(*result.mutable_values(), uint64_t(matrices) * pass.rows() * width);
  return result;
}

const_rows input_of(const v1::ShardPass& pass) {
  TROUPE_ASSERT(uint64_t(pass.values_size()) == uint64_t(pass.rows()) * pass.width());
  return rows_of(pass.values(), pass.rows(), pass.width());
}

/// The matrices of a backward result, one after the other.
std::vector<mutable_rows> matrices_of(v1::ShardPassResult& result, size_t count, uint32_t rows) {
  std::vector<mutable_rows> matrices;
  float* data = result.mutable_values()->mutable_data();
  for (size_t i = 0; i < count; ++i, data += uint64_t(rows) * result.width())
    matrices.push_back({data, rows, result.width(), result.width()});
  return matrices;
}

trainable_projection& matrix_of(trainable_shard& part, v1::Projection projection) {
  switch (projection) {
  case v1::PROJECTION_ATTENTION_OUTPUT: return part.output;
  case v1::PROJECTION_CROSS_ATTENTION_OUTPUT: return part.cross_output;
  case v1::PROJECTION_FEED_FORWARD_INNER: return part.up;
  case v1::PROJECTION_FEED_FORWARD_OUTER: return part.down;
  default: throw broken_invariant("a layer's shard was asked for projection " + std::to_string(projection));
  }
}

void go_forward(shard_pointer self, const v1::ShardPass& pass) {
  auto& st = self->state;
  const stopwatch watch;
  const const_rows x = input_of(pass);
  const trainable_projection& matrix = matrix_of(st.part, pass.projection());
  auto result = make_result(pass, st.index, 1, matrix.rows().count);
  const mutable_rows out = rows_of(*result.mutable_values(), pass.rows(), result.width());
  auto& kept = st.kept[pass.micro_batch()];
  auto& scratch = training_scratch_of_this_thread();
  if (pass.projection() == v1::PROJECTION_FEED_FORWARD_INNER) st.part.inner(x, out, kept.inner, scratch);
  else matrix.forward(x, out, scratch);
  if (pass.evaluate()) st.kept.release(pass.micro_batch());
  else kept.requests[pass.projection()] = self->current_mailbox_element()->copy_content_to_message(); // Shared, not copied.
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

void go_backward(shard_pointer self, const v1::ShardPass& pass) {
  auto& st = self->state;
  const stopwatch watch;
  auto* kept = st.kept.find(pass.micro_batch());
  TROUPE_ASSERT(kept != nullptr);
  const auto request = kept->requests.find(pass.projection());
  TROUPE_ASSERT(request != kept->requests.end());
  const const_rows x = input_of(request->second.get_as<v1::ShardPass>(0)), dy = input_of(pass);
  TROUPE_ASSERT(x.rows == dy.rows);
  trainable_projection& matrix = matrix_of(st.part, pass.projection());
  const size_t nodes = matrix.nodes().size();
  auto result = make_result(pass, st.index, uint32_t(nodes), x.columns);
  const auto sums = matrices_of(result, nodes, x.rows);
  auto& scratch = training_scratch_of_this_thread();
  if (pass.projection() == v1::PROJECTION_FEED_FORWARD_INNER) st.part.inner_backward(x, kept->inner, dy, sums, scratch);
  else matrix.backward(x, dy, sums, scratch);
  kept->requests.erase(request);
  if (kept->requests.empty()) st.kept.release(pass.micro_batch());
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

void sum_logits(output_shard_pointer self, const v1::SumLogits& request) {
  auto& st = self->state;
  const uint32_t micro_batch = request.batch().index(), rows = uint32_t(request.targets_size());
  if (!st.owner.is_current(request) || !st.forward.admit(micro_batch)) return;
  const stopwatch watch;
  TROUPE_ASSERT(uint64_t(request.values_size()) == uint64_t(rows) * request.width());
  auto& kept = st.kept[micro_batch];
  const auto facts = st.part.forward(rows_of(request.values(), rows, request.width()), targets_of(request.targets()), kept.logits,
                                     training_scratch_of_this_thread());
  if (request.batch().evaluate()) st.kept.release(micro_batch);
  else kept.request = self->current_mailbox_element()->copy_content_to_message();
  v1::LogitSums sums;
  sums.set_epoch(request.epoch());
  sums.set_step(request.step());
  sums.set_micro_batch(micro_batch);
  sums.set_shard(st.index);
  for (const logit_sums& leaf : facts.leaves) {
    sums.add_largest(leaf.largest);
    sums.add_exponentials(leaf.exponentials);
    sums.add_totals(leaf.total);
  }
  sums.mutable_target_logits()->Add(facts.target_logits.begin(), facts.target_logits.end());
  sums.set_compute_ns(watch.elapsed_ns());
  if (const auto to = asker_of<v1::LogitSums>(self)) self->send(to, std::move(sums));
}

/// The transform before the output matrix, forward.
void apply_transform(output_shard_pointer self, const v1::ShardPass& pass) {
  auto& st = self->state;
  if (!st.transform_forward.admit(pass.micro_batch())) return;
  const stopwatch watch;
  auto result = make_result(pass, st.index, 1, st.part.transform.rows().count);
  st.part.transform.forward(input_of(pass), rows_of(*result.mutable_values(), pass.rows(), result.width()),
                            training_scratch_of_this_thread());
  if (!pass.evaluate()) st.kept[pass.micro_batch()].transform_request = self->current_mailbox_element()->copy_content_to_message();
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

void transform_backward(output_shard_pointer self, const v1::ShardPass& pass) {
  auto& st = self->state;
  if (!st.transform_backward.admit(pass.micro_batch())) return;
  const stopwatch watch;
  auto* kept = st.kept.find(pass.micro_batch());
  TROUPE_ASSERT(kept != nullptr && !kept->transform_request.empty());
  const const_rows x = input_of(kept->transform_request.get_as<v1::ShardPass>(0)), dy = input_of(pass);
  TROUPE_ASSERT(x.rows == dy.rows);
  const size_t nodes = st.part.transform.nodes().size();
  auto result = make_result(pass, st.index, uint32_t(nodes), x.columns);
  st.part.transform.backward(x, dy, matrices_of(result, nodes, x.rows), training_scratch_of_this_thread());
  st.kept.release(pass.micro_batch());
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

void go_backward(output_shard_pointer self, const v1::ShardPass& pass) {
  auto& st = self->state;
  if (!st.backward.admit(pass.micro_batch())) return;
  const stopwatch watch;
  auto* kept = st.kept.find(pass.micro_batch());
  TROUPE_ASSERT(kept != nullptr);
  const auto& request = kept->request.get_as<v1::SumLogits>(0);
  const uint32_t rows = uint32_t(request.targets_size());
  TROUPE_ASSERT(pass.rows() == rows);
  TROUPE_ASSERT(uint32_t(pass.log_sums_size()) == rows);
  const size_t nodes = st.part.output.nodes().size();
  auto result = make_result(pass, st.index, uint32_t(nodes), request.width());
  st.part.backward(rows_of(request.values(), rows, request.width()), targets_of(request.targets()),
                   {pass.log_sums().data(), rows}, request.batch().loss_scale(), request.batch().smoothing(), kept->logits,
                   matrices_of(result, nodes, rows), training_scratch_of_this_thread());
  if (kept->transform_request.empty()) st.kept.release(pass.micro_batch());
  result.set_compute_ns(watch.elapsed_ns());
  answer(self, std::move(result));
}

} // namespace

training_shard_actor::behavior_type training_shard(shard_pointer self, training_shard_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.index = config.index;
  st.part = std::move(config.part);
  st.owner.start(self, std::move(config.owner), st.part.parameters(), {}, {},
                 {[self] {
                    self->state.kept.release_all();
                    self->state.gates.clear();
                  },
                  [self] { self->state.part.prepare(); }});
  return make_owner_behavior<training_shard_actor::behavior_type>(self, [self](const v1::ShardPass& pass) {
    auto& state = self->state;
    if (!state.owner.is_current(pass)) return;
    if (!state.gates[{pass.projection(), pass.backward()}].admit(pass.micro_batch())) return;
    if (pass.backward()) go_backward(self, pass);
    else go_forward(self, pass);
  });
}

training_output_shard_actor::behavior_type training_output_shard(output_shard_pointer self, training_output_shard_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.index = config.index;
  st.part = std::move(config.part);
  std::vector<parameter*> copied;
  if (!config.owner.holders.empty() && st.part.output.weight) copied.push_back(&st.part.output.weight);
  st.owner.start(self, std::move(config.owner), st.part.parameters(), std::move(copied), {},
                 {[self] {
                    self->state.kept.release_all();
                    self->state.forward = self->state.backward = {};
                    self->state.transform_forward = self->state.transform_backward = {};
                  },
                  [self] { self->state.part.prepare(); }});
  return make_owner_behavior<training_output_shard_actor::behavior_type>(
    self,
    [self](const v1::ShardPass& pass) {
      if (!self->state.owner.is_current(pass)) return;
      if (pass.projection() == v1::PROJECTION_LOGITS) go_backward(self, pass);
      else if (pass.backward()) transform_backward(self, pass);
      else apply_transform(self, pass);
    },
    [self](const v1::SumLogits& request) { sum_logits(self, request); });
}

} // namespace troupe
