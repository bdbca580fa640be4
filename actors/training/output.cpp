#include "actors/training/output.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace troupe {
namespace {

using output_pointer = training_output_actor::stateful_pointer<training_output_state>;
using batch_state = training_output_state::batch_under_way;

using shard_receiver = caf::typed_actor<caf::reacts_to<v1::ShardPass>>;

/// Of the matrix that the round is about.
sum_tree tree_of(const training_output_config& config, const batch_state& batch) {
  return {batch.in_transform ? config.width : config.part.columns, config.leaf_rows_min};
}

void ask_shards(output_pointer self, batch_state& batch, v1::ShardPass pass) {
  auto& st = self->state;
  batch.from_shards.expect(st.config.shards.size());
  pass.set_epoch(st.owner.now().epoch);
  pass.set_step(st.owner.now().step);
  pass.set_micro_batch(batch.batch.index());
  pass.set_evaluate(batch.batch.evaluate());
  pass.set_backward(batch.backward);
  pass.set_projection(batch.in_transform ? v1::PROJECTION_OUTPUT_TRANSFORM : v1::PROJECTION_LOGITS);
  pass.set_rows(batch.results);
  const packed<v1::ShardPass> shared{std::move(pass)};
  for (const auto& path : st.config.shards) send_packed(self, st.owner.peer<shard_receiver>(path), shared);
}

void ask_transform(output_pointer self, batch_state& batch, float_field values) {
  batch.in_transform = true;
  v1::ShardPass pass;
  pass.set_width(self->state.config.width);
  pass.mutable_values()->Swap(&values);
  ask_shards(self, batch, std::move(pass));
}

/// values: what the output matrix gets.
void ask_logits(output_pointer self, batch_state& batch, float_field values) {
  auto& st = self->state;
  batch.in_transform = false;
  batch.sums.expect(st.config.shards.size());
  v1::SumLogits request;
  request.set_epoch(st.owner.now().epoch);
  request.set_step(st.owner.now().step);
  *request.mutable_batch() = batch.batch;
  request.set_width(st.config.width);
  request.mutable_values()->Swap(&values);
  request.mutable_targets()->Add(batch.targets.begin(), batch.targets.end());
  const packed<v1::SumLogits> shared{std::move(request)};
  using receiver = caf::typed_actor<caf::reacts_to<v1::SumLogits>>;
  for (const auto& path : st.config.shards) send_packed(self, st.owner.peer<receiver>(path), shared);
}

void on_forward(output_pointer self, v1::ForwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.forward.admit(states.batch().index())) return;
  const uint32_t width = st.config.width;
  auto& batch = st.batches[states.batch().index()];
  batch.batch = states.batch();
  batch.targets = targets_of(states.targets());
  const auto lengths = lengths_of(batch.batch, false);
  batch.rows = rows_of(batch.batch, false);
  batch.results = st.config.part.rows_of_results(lengths);
  TROUPE_ASSERT(batch.targets.size() == batch.results);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch.rows) * width);
  batch.in.Swap(states.mutable_values());
  batch.compute_ns = states.compute_ns();
  float_field entered;
  allocate(entered, uint64_t(batch.results) * width);
  st.config.part.enter({rows_of(std::as_const(batch.in), batch.rows, width), lengths}, rows_of(entered, batch.results, width));
  if (st.config.part.spec.transform) ask_transform(self, batch, std::move(entered));
  else ask_logits(self, batch, std::move(entered));
}

/// All shards gave their columns of the transform's product.
void transform_is_there(output_pointer self, batch_state& batch) {
  auto& st = self->state;
  const uint32_t width = st.config.width, shards = uint32_t(st.config.shards.size());
  float* data = allocate(batch.transformed, uint64_t(batch.results) * width);
  for (uint32_t shard = 0; shard < shards; ++shard) {
    const range columns = tree_of(st.config, batch).rows_of_shard(shards, shard);
    const float* from = batch.from_shards.all()[shard].values().data();
    for (uint32_t row = 0; row < batch.results; ++row)
      std::copy_n(from + uint64_t(row) * columns.count, columns.count, data + uint64_t(row) * width + columns.first);
  }
  float_field values;
  allocate(values, uint64_t(batch.results) * width);
  st.config.part.finish_transform(rows_of(std::as_const(batch.transformed), batch.results, width), rows_of(values, batch.results, width));
  ask_logits(self, batch, std::move(values));
}

row_facts facts_of(const v1::LogitSums& sums) {
  row_facts facts;
  for (int i = 0; i < sums.largest_size(); ++i)
    facts.leaves.push_back({sums.largest(i), sums.exponentials(i), sums.totals(i), false});
  facts.target_logits.assign(sums.target_logits().begin(), sums.target_logits().end());
  return facts;
}

template <class Field> bool are_finite(const Field& values) { return is_finite({values.data(), size_t(values.size())}); }

void sums_are_there(output_pointer self, batch_state& batch) {
  auto& st = self->state;
  std::vector<row_facts> facts;
  for (const auto& sums : batch.sums.all()) facts.push_back(facts_of(sums));
  std::vector<float> log_sums;
  const loss_sums loss = st.config.part.loss(facts, batch.targets, batch.batch.smoothing(), log_sums);
  if (!std::isfinite(loss.loss) || !is_finite(log_sums))
    return st.owner.report(make_fault(st.owner.now(), v1::FAULT_KIND_NON_FINITE, {st.owner.path()}));
  v1::BatchLoss report;
  report.set_epoch(st.owner.now().epoch);
  report.set_step(st.owner.now().step);
  report.set_micro_batch(batch.batch.index());
  report.set_loss(loss.loss);
  report.set_targets(loss.targets);
  report.set_hits(loss.hits);
  report.set_compute_ns(std::exchange(batch.compute_ns, 0));
  self->send(st.owner.trainer(), std::move(report));
  if (batch.batch.evaluate()) {
    st.batches.erase(batch.batch.index());
    return;
  }
  batch.backward = true;
  v1::ShardPass pass;
  pass.mutable_log_sums()->Add(log_sums.begin(), log_sums.end());
  ask_shards(self, batch, std::move(pass));
}

void send_back(output_pointer self, batch_state& batch, const float_field& gradient) {
  auto& st = self->state;
  const uint32_t width = st.config.width;
  const auto lengths = lengths_of(batch.batch, false);
  v1::BackwardStates states;
  states.set_epoch(st.owner.now().epoch);
  states.set_step(st.owner.now().step);
  states.set_micro_batch(batch.batch.index());
  states.set_width(width);
  states.set_compute_ns(batch.compute_ns);
  auto& values = *states.mutable_values();
  values.Resize(batch.in.size(), 0.0f);
  st.config.part.enter_backward({rows_of(std::as_const(batch.in), batch.rows, width), lengths}, rows_of(gradient, batch.results, width),
                                rows_of(values, batch.rows, width));
  st.batches.erase(batch.batch.index());
  self->send(st.owner.peer<backward_stage_actor>(st.config.previous), std::move(states));
}

/// All shards gave their sums of the gradient of a matrix' input.
void gradients_are_there(output_pointer self, batch_state& batch) {
  auto& part = self->state.config.part;
  const uint32_t width = self->state.config.width;
  float_field gradient = total_of(batch.from_shards.all(), tree_of(self->state.config, batch), batch.results, width);
  if (batch.in_transform || !part.spec.transform) return send_back(self, batch, gradient);
  part.finish_transform_backward(rows_of(std::as_const(batch.transformed), batch.results, width),
                                 rows_of(gradient, batch.results, width));
  ask_transform(self, batch, std::move(gradient));
}

void report(output_pointer self, v1::FaultKind kind, uint32_t shard) {
  auto& st = self->state;
  st.owner.report(make_fault(st.owner.now(), kind, st.owner.name_of(st.config.shards[shard])));
}

void on_sums(output_pointer self, v1::LogitSums& answer) {
  auto& st = self->state;
  auto* batch = st.owner.is_current(answer) ? find_batch(st.batches, answer.micro_batch(), false) : nullptr;
  if (batch == nullptr || batch->in_transform) return;
  const uint32_t shard = answer.shard();
  TROUPE_ASSERT(shard < st.config.shards.size());
  uint32_t leaves = 0;
  for (const tree_node node : tree_of(st.config, *batch).nodes_of(uint32_t(st.config.shards.size()), shard)) leaves += node.leaves;
  const int wanted = int(batch->results * leaves);
  if (answer.largest_size() != wanted || answer.exponentials_size() != wanted || answer.totals_size() != wanted ||
      answer.target_logits_size() != int(batch->results))
    return report(self, v1::FAULT_KIND_BAD_SHAPE, shard);
  if (!are_finite(answer.largest()) || !are_finite(answer.exponentials()) || !are_finite(answer.totals()) ||
      !are_finite(answer.target_logits()))
    return report(self, v1::FAULT_KIND_NON_FINITE, shard);
  batch->compute_ns += answer.compute_ns();
  if (!batch->sums.take(shard, answer)) return;
  end_in_turn(st.batches, st.turns[{false, false}], false,
              [](const batch_state& one) { return !one.in_transform && one.sums.complete(); },
              [self](batch_state& one) { sums_are_there(self, one); });
}

void on_shard_result(output_pointer self, v1::ShardPassResult& answer) {
  auto& st = self->state;
  auto* batch = st.owner.is_current(answer) ? find_batch(st.batches, answer.micro_batch(), answer.backward()) : nullptr;
  const bool backward = answer.backward(), in_transform = answer.projection() == v1::PROJECTION_OUTPUT_TRANSFORM;
  if (batch == nullptr || batch->in_transform != in_transform || (!backward && !in_transform)) return;
  const uint32_t shard = answer.shard(), shards = uint32_t(st.config.shards.size());
  TROUPE_ASSERT(shard < shards);
  const sum_tree tree = tree_of(st.config, *batch);
  const uint64_t columns = backward ? tree.nodes_of(shards, shard).size() * st.config.width : tree.rows_of_shard(shards, shard).count;
  if (uint64_t(answer.values_size()) != columns * batch->results) return report(self, v1::FAULT_KIND_BAD_SHAPE, shard);
  if (!are_finite(answer.values())) return report(self, v1::FAULT_KIND_NON_FINITE, shard);
  batch->compute_ns += answer.compute_ns();
  if (!batch->from_shards.take(shard, answer)) return;
  end_in_turn(st.batches, st.turns[{backward, in_transform}], backward,
              [&](const batch_state& one) { return one.in_transform == in_transform && one.from_shards.complete(); },
              [&](batch_state& one) {
                if (backward) gradients_are_there(self, one);
                else transform_is_there(self, one);
              });
}

} // namespace

training_output_actor::behavior_type training_output(output_pointer self, training_output_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.config = std::move(config);
  st.owner.start(self, st.config.owner, st.config.part.parameters(), {}, {},
                 {[self] {
                    self->state.batches.clear();
                    self->state.forward = {};
                    self->state.turns.clear();
                  },
                  [] {}});
  return make_owner_behavior<training_output_actor::behavior_type>(
    self, [self](v1::ForwardStates& states) { on_forward(self, states); },
    [self](v1::LogitSums& answer) { on_sums(self, answer); },
    [self](v1::ShardPassResult& answer) { on_shard_result(self, answer); });
}

} // namespace troupe
