#include "actors/training/output.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"

#include <cmath>
#include <utility>

namespace troupe {
namespace {

using output_pointer = training_output_actor::stateful_pointer<training_output_state>;
using batch_state = training_output_state::batch_under_way;

sum_tree tree_of(const training_output_config& config) { return {config.part.vocabulary, config.leaf_rows_min}; }

void on_forward(output_pointer self, v1::ForwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.forward.admit(states.batch().index())) return;
  auto& batch = st.batches[states.batch().index()];
  batch.batch = states.batch();
  batch.targets = targets_of(states.targets());
  batch.rows = uint32_t(batch.targets.size());
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch.rows) * st.config.width);
  batch.in.Swap(states.mutable_values());
  batch.compute_ns = states.compute_ns();
  batch.sums.expect(st.config.shards.size());
  v1::SumLogits request;
  request.set_epoch(states.epoch());
  request.set_step(states.step());
  *request.mutable_batch() = batch.batch;
  request.set_width(st.config.width);
  allocate(*request.mutable_values(), uint64_t(batch.rows) * st.config.width);
  st.config.part.norm.forward(rows_of(std::as_const(batch.in), batch.rows, st.config.width),
                              rows_of(*request.mutable_values(), batch.rows, st.config.width));
  request.mutable_targets()->Swap(states.mutable_targets());
  const packed<v1::SumLogits> shared{std::move(request)};
  using receiver = caf::typed_actor<caf::reacts_to<v1::SumLogits>>;
  for (const auto& path : st.config.shards) send_packed(self, st.owner.peer<receiver>(path), shared);
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
  batch.gradients.expect(st.config.shards.size());
  v1::ShardPass pass;
  pass.set_epoch(st.owner.now().epoch);
  pass.set_step(st.owner.now().step);
  pass.set_micro_batch(batch.batch.index());
  pass.set_backward(true);
  pass.set_projection(v1::PROJECTION_LOGITS);
  pass.set_rows(batch.rows);
  pass.mutable_log_sums()->Add(log_sums.begin(), log_sums.end());
  const packed<v1::ShardPass> shared{std::move(pass)};
  using receiver = caf::typed_actor<caf::reacts_to<v1::ShardPass>>;
  for (const auto& path : st.config.shards) send_packed(self, st.owner.peer<receiver>(path), shared);
}

void gradients_are_there(output_pointer self, batch_state& batch) {
  auto& st = self->state;
  const uint32_t width = st.config.width;
  const float_field gradient = total_of(batch.gradients.all(), tree_of(st.config), batch.rows, width);
  v1::BackwardStates states;
  states.set_epoch(st.owner.now().epoch);
  states.set_step(st.owner.now().step);
  states.set_micro_batch(batch.batch.index());
  states.set_width(width);
  states.set_compute_ns(batch.compute_ns);
  auto& values = *states.mutable_values();
  values.Resize(batch.in.size(), 0.0f);
  st.config.part.norm.backward(rows_of(std::as_const(batch.in), batch.rows, width), rows_of(gradient, batch.rows, width),
                               rows_of(values, batch.rows, width));
  st.batches.erase(batch.batch.index());
  self->send(st.owner.peer<backward_stage_actor>(st.config.previous), std::move(states));
}

void report(output_pointer self, v1::FaultKind kind, uint32_t shard) {
  auto& st = self->state;
  st.owner.report(make_fault(st.owner.now(), kind, st.owner.name_of(st.config.shards[shard])));
}

void on_sums(output_pointer self, v1::LogitSums& answer) {
  auto& st = self->state;
  auto* batch = st.owner.is_current(answer) ? find_batch(st.batches, answer.micro_batch(), false) : nullptr;
  if (batch == nullptr) return;
  const uint32_t shard = answer.shard();
  TROUPE_ASSERT(shard < st.config.shards.size());
  uint32_t leaves = 0;
  for (const tree_node node : tree_of(st.config).nodes_of(uint32_t(st.config.shards.size()), shard)) leaves += node.leaves;
  const int wanted = int(batch->rows * leaves);
  if (answer.largest_size() != wanted || answer.exponentials_size() != wanted || answer.totals_size() != wanted ||
      answer.target_logits_size() != int(batch->rows))
    return report(self, v1::FAULT_KIND_BAD_SHAPE, shard);
  if (!are_finite(answer.largest()) || !are_finite(answer.exponentials()) || !are_finite(answer.totals()) ||
      !are_finite(answer.target_logits()))
    return report(self, v1::FAULT_KIND_NON_FINITE, shard);
  batch->compute_ns += answer.compute_ns();
  if (!batch->sums.take(shard, answer)) return;
  end_in_turn(st.batches, st.sums_turn, false, [](const batch_state& one) { return one.sums.complete(); },
              [self](batch_state& one) { sums_are_there(self, one); });
}

void on_gradients(output_pointer self, v1::ShardPassResult& answer) {
  auto& st = self->state;
  auto* batch = st.owner.is_current(answer) ? find_batch(st.batches, answer.micro_batch(), true) : nullptr;
  if (batch == nullptr) return;
  const uint32_t shard = answer.shard();
  TROUPE_ASSERT(shard < st.config.shards.size());
  const uint64_t nodes = tree_of(st.config).nodes_of(uint32_t(st.config.shards.size()), shard).size();
  if (uint64_t(answer.values_size()) != nodes * batch->rows * st.config.width) return report(self, v1::FAULT_KIND_BAD_SHAPE, shard);
  if (!are_finite(answer.values())) return report(self, v1::FAULT_KIND_NON_FINITE, shard);
  batch->compute_ns += answer.compute_ns();
  if (!batch->gradients.take(shard, answer)) return;
  end_in_turn(st.batches, st.gradients_turn, true, [](const batch_state& one) { return one.gradients.complete(); },
              [self](batch_state& one) { gradients_are_there(self, one); });
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
                    self->state.sums_turn = self->state.gradients_turn = 0;
                  },
                  [] {}});
  return make_owner_behavior<training_output_actor::behavior_type>(
    self, [self](v1::ForwardStates& states) { on_forward(self, states); },
    [self](v1::LogitSums& answer) { on_sums(self, answer); },
    [self](v1::ShardPassResult& answer) { on_gradients(self, answer); });
}

} // namespace troupe
