#include "actors/training/layer.hpp"

#include "actors/supervision/failure.hpp"
#include "actors/training/scratch.hpp"
#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"

#include <algorithm>
#include <utility>

namespace troupe {
namespace {

using layer_pointer = training_layer_actor::stateful_pointer<training_layer_state>;
using batch_state = training_layer_state::batch_under_way;
using round_kind = training_layer_state::round_kind;
using head_receiver = caf::typed_actor<caf::reacts_to<v1::HeadPass>>;
using shard_receiver = caf::typed_actor<caf::reacts_to<v1::ShardPass>>;

uint32_t attended_width(const layer_spec& spec) { return spec.attention.heads * spec.attention.head_dim; }

v1::Projection projection_of(round_kind round) {
  switch (round) {
  case round_kind::output: return v1::PROJECTION_ATTENTION_OUTPUT;
  case round_kind::inner: return v1::PROJECTION_FEED_FORWARD_INNER;
  case round_kind::outer: return v1::PROJECTION_FEED_FORWARD_OUTER;
  default: return v1::PROJECTION_UNSPECIFIED;
  }
}

/// How many columns a projection takes, and how many it gives.
uint32_t inputs_of(const training_layer_config& config, round_kind round) {
  return round == round_kind::output  ? attended_width(config.spec)
         : round == round_kind::outer ? config.spec.feed_forward.width
                                      : config.width;
}
uint32_t outputs_of(const training_layer_config& config, round_kind round) {
  return round == round_kind::inner ? config.spec.feed_forward.width : config.width;
}

void ask_heads(layer_pointer self, batch_state& batch, float_field values, uint32_t width) {
  auto& st = self->state;
  batch.round = round_kind::heads;
  batch.from_heads.expect(st.config.heads.size());
  v1::HeadPass pass;
  pass.set_epoch(st.owner.now().epoch);
  pass.set_step(st.owner.now().step);
  *pass.mutable_batch() = batch.batch;
  pass.set_backward(batch.backward);
  pass.set_width(width);
  pass.mutable_values()->Swap(&values);
  const packed<v1::HeadPass> shared{std::move(pass)};
  for (const auto& path : st.config.heads) send_packed(self, st.owner.peer<head_receiver>(path), shared);
}

void ask_shards(layer_pointer self, batch_state& batch, round_kind round, float_field values) {
  auto& st = self->state;
  batch.round = round;
  batch.from_shards.expect(st.config.shards.size());
  v1::ShardPass pass;
  pass.set_epoch(st.owner.now().epoch);
  pass.set_step(st.owner.now().step);
  pass.set_micro_batch(batch.batch.index());
  pass.set_evaluate(batch.batch.evaluate());
  pass.set_backward(batch.backward);
  pass.set_projection(projection_of(round));
  pass.set_rows(batch.rows);
  pass.set_width(batch.backward ? outputs_of(st.config, round) : inputs_of(st.config, round));
  pass.mutable_values()->Swap(&values);
  const packed<v1::ShardPass> shared{std::move(pass)};
  for (const auto& path : st.config.shards) send_packed(self, st.owner.peer<shard_receiver>(path), shared);
}

const_rows rows_in(const float_field& values, const batch_state& batch, uint32_t width) {
  TROUPE_ASSERT(uint64_t(values.size()) == uint64_t(batch.rows) * width);
  return rows_of(values, batch.rows, width);
}

float_field normed(layer_pointer self, const batch_state& batch, const trainable_norm& norm) {
  const uint32_t width = self->state.config.width;
  float_field values;
  allocate(values, uint64_t(batch.rows) * width);
  norm.forward(rows_in(batch.stream, batch, width), rows_of(values, batch.rows, width));
  return values;
}

/// Puts the answers of a forward round side by side: of all heads, or of all shards. first_column: of a member's answer.
template <class Answer, class FirstColumn>
float_field side_by_side(std::vector<Answer>& answers, uint32_t rows, uint32_t width, FirstColumn first_column) {
  float_field all;
  float* data = allocate(all, uint64_t(rows) * width);
  for (uint32_t i = 0; i < answers.size(); ++i) {
    const float* from = answers[i].values().data();
    float* to = data + first_column(i);
    for (uint32_t row = 0; row < rows; ++row, from += answers[i].width(), to += width) std::copy_n(from, answers[i].width(), to);
  }
  return all;
}

range columns_of_shard(const training_layer_config& config, round_kind round, uint32_t shard) {
  return sum_tree(outputs_of(config, round), config.leaf_rows_min).rows_of_shard(uint32_t(config.shards.size()), shard);
}

float_field columns_of_shards(layer_pointer self, batch_state& batch) {
  const auto& config = self->state.config;
  return side_by_side(batch.from_shards.all(), batch.rows, outputs_of(config, batch.round),
                      [&](uint32_t shard) { return columns_of_shard(config, batch.round, shard).first; });
}

float_field sum_of_shards(layer_pointer self, batch_state& batch) {
  const auto& config = self->state.config;
  return total_of(batch.from_shards.all(), sum_tree(outputs_of(config, batch.round), config.leaf_rows_min), batch.rows,
                  inputs_of(config, batch.round));
}

/// What a sub-layer gave, or its gradient, with what is dropped set to 0.
float_field dropped(layer_pointer self, const batch_state& batch, dropout_site site, float_field values) {
  const auto& config = self->state.config;
  apply(dropout_of(batch.batch), config.index, site, rows_of(values, batch.rows, config.width));
  return values;
}

/// The stream becomes its sum with `values`; `before` what it was.
void add_to_stream(batch_state& batch, float_field values, float_field& before) {
  add({values.mutable_data(), size_t(values.size())}, {batch.stream.data(), size_t(batch.stream.size())});
  before.Swap(&batch.stream);
  batch.stream.Swap(&values);
}

void finish_forward(layer_pointer self, batch_state& batch) {
  auto& st = self->state;
  v1::ForwardStates states;
  states.set_epoch(st.owner.now().epoch);
  states.set_step(st.owner.now().step);
  *states.mutable_batch() = batch.batch;
  states.set_layer(st.config.index + 1);
  states.set_width(st.config.width);
  states.mutable_values()->Swap(&batch.stream);
  states.mutable_targets()->Swap(&batch.targets);
  states.set_compute_ns(batch.compute_ns);
  self->send(st.owner.peer<forward_stage_actor>(st.config.next), std::move(states));
  if (batch.batch.evaluate()) st.batches.erase(batch.batch.index());
}

void finish_backward(layer_pointer self, batch_state& batch) {
  auto& st = self->state;
  v1::BackwardStates states;
  states.set_epoch(st.owner.now().epoch);
  states.set_step(st.owner.now().step);
  states.set_micro_batch(batch.batch.index());
  states.set_layer(st.config.index - 1);
  states.set_width(st.config.width);
  states.mutable_values()->Swap(&batch.stream);
  states.set_compute_ns(batch.compute_ns);
  self->send(st.owner.peer<backward_stage_actor>(st.config.previous), std::move(states));
  st.batches.erase(batch.batch.index());
}

/// The next thing to do with a micro-batch, all answers of the round being there.
void go_on_forward(layer_pointer self, batch_state& batch) {
  auto& st = self->state;
  switch (batch.round) {
  case round_kind::heads: {
    auto attended = side_by_side(batch.from_heads.all(), batch.rows, attended_width(st.config.spec), [&](uint32_t head) {
      return head * st.config.spec.attention.group() * st.config.spec.attention.head_dim;
    });
    return ask_shards(self, batch, round_kind::output, std::move(attended));
  }
  case round_kind::output:
    add_to_stream(batch, dropped(self, batch, dropout_site::attention, columns_of_shards(self, batch)), batch.in);
    return ask_shards(self, batch, round_kind::inner, normed(self, batch, st.config.part.feed_forward_norm));
  case round_kind::inner: return ask_shards(self, batch, round_kind::outer, columns_of_shards(self, batch));
  case round_kind::outer:
    add_to_stream(batch, dropped(self, batch, dropout_site::feed_forward, columns_of_shards(self, batch)), batch.middle);
    return finish_forward(self, batch);
  }
}

void go_on_backward(layer_pointer self, batch_state& batch) {
  auto& st = self->state;
  const uint32_t width = st.config.width;
  const auto through_norm = [&](trainable_norm& norm, const float_field& x, const float_field& gradient) {
    norm.backward(rows_in(x, batch, width), rows_in(gradient, batch, width), rows_of(batch.stream, batch.rows, width));
  };
  switch (batch.round) {
  case round_kind::outer: return ask_shards(self, batch, round_kind::inner, sum_of_shards(self, batch));
  case round_kind::inner:
    through_norm(st.config.part.feed_forward_norm, batch.middle, sum_of_shards(self, batch));
    batch.middle.Clear();
    return ask_shards(self, batch, round_kind::output, dropped(self, batch, dropout_site::attention, batch.stream));
  case round_kind::output:
    return ask_heads(self, batch, sum_of_shards(self, batch), attended_width(st.config.spec));
  case round_kind::heads: {
    auto& answers = batch.from_heads.all();
    auto& sum = *answers.front().mutable_values();
    for (size_t head = 1; head < answers.size(); ++head)
      add({sum.mutable_data(), size_t(sum.size())}, {answers[head].values().data(), size_t(answers[head].values_size())});
    through_norm(st.config.part.attention_norm, batch.in, sum);
    return finish_backward(self, batch);
  }
  }
}

void end_rounds(layer_pointer self, const batch_state& batch) {
  auto& st = self->state;
  const bool backward = batch.backward;
  const auto round = batch.round;
  const auto has_all = [&](const batch_state& one) {
    return one.round == round && (round == round_kind::heads ? one.from_heads.complete() : one.from_shards.complete());
  };
  end_in_turn(st.batches, st.turns[{backward, round}], backward, has_all, [&](batch_state& one) {
    if (backward) go_on_backward(self, one);
    else go_on_forward(self, one);
  });
}

/// Whether the answer has the right shape and finite values; if not, the step is given up.
template <class Answer>
bool is_fine(layer_pointer self, const Answer& answer, uint64_t matrices, uint32_t width, const batch_state& batch,
             const std::string& path) {
  auto& st = self->state;
  if (answer.width() != width || uint64_t(answer.values_size()) != matrices * batch.rows * width) {
    st.owner.report(make_fault(st.owner.now(), v1::FAULT_KIND_BAD_SHAPE, st.owner.name_of(path)));
    return false;
  }
  if (!is_finite({answer.values().data(), size_t(answer.values_size())})) {
    st.owner.report(make_fault(st.owner.now(), v1::FAULT_KIND_NON_FINITE, st.owner.name_of(path)));
    return false;
  }
  return true;
}

void on_forward(layer_pointer self, v1::ForwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.forward.admit(states.batch().index())) return;
  TROUPE_ASSERT(states.layer() == st.config.index);
  TROUPE_ASSERT(states.width() == st.config.width);
  auto& batch = st.batches[states.batch().index()];
  batch.batch = states.batch();
  batch.rows = uint32_t(states.targets_size());
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch.rows) * st.config.width);
  batch.stream.Swap(states.mutable_values());
  batch.targets.Swap(states.mutable_targets());
  batch.compute_ns = states.compute_ns();
  ask_heads(self, batch, normed(self, batch, st.config.part.attention_norm), st.config.width);
}

void on_backward(layer_pointer self, v1::BackwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.backward.admit(states.micro_batch())) return;
  auto* batch = find_batch(st.batches, states.micro_batch(), false);
  TROUPE_ASSERT(batch != nullptr);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch->rows) * st.config.width);
  batch->backward = true;
  batch->stream.Swap(states.mutable_values());
  batch->compute_ns = states.compute_ns();
  ask_shards(self, *batch, round_kind::outer, dropped(self, *batch, dropout_site::feed_forward, batch->stream));
}

void on_head_result(layer_pointer self, v1::HeadPassResult& answer) {
  auto& st = self->state;
  if (!st.owner.is_current(answer)) return;
  auto* batch = find_batch(st.batches, answer.micro_batch(), answer.backward());
  if (batch == nullptr || batch->round != round_kind::heads) return;
  const uint32_t head = answer.head();
  TROUPE_ASSERT(head < st.config.heads.size());
  const auto& attention = st.config.spec.attention;
  const uint32_t width = answer.backward() ? st.config.width : attention.group() * attention.head_dim;
  if (!is_fine(self, answer, 1, width, *batch, st.config.heads[head])) return;
  batch->compute_ns += answer.compute_ns();
  if (batch->from_heads.take(head, answer)) end_rounds(self, *batch);
}

void on_shard_result(layer_pointer self, v1::ShardPassResult& answer) {
  auto& st = self->state;
  if (!st.owner.is_current(answer)) return;
  auto* batch = find_batch(st.batches, answer.micro_batch(), answer.backward());
  if (batch == nullptr || batch->round == round_kind::heads || projection_of(batch->round) != answer.projection()) return;
  const uint32_t shard = answer.shard();
  TROUPE_ASSERT(shard < st.config.shards.size());
  const sum_tree tree(outputs_of(st.config, batch->round), st.config.leaf_rows_min);
  const uint32_t shards = uint32_t(st.config.shards.size());
  const uint32_t width = answer.backward() ? inputs_of(st.config, batch->round) : tree.rows_of_shard(shards, shard).count;
  const uint64_t matrices = answer.backward() ? tree.nodes_of(shards, shard).size() : 1;
  if (!is_fine(self, answer, matrices, width, *batch, st.config.shards[shard])) return;
  batch->compute_ns += answer.compute_ns();
  if (batch->from_shards.take(shard, answer)) end_rounds(self, *batch);
}

} // namespace

training_layer_actor::behavior_type training_layer(layer_pointer self, training_layer_config config) {
  report_exceptions(self);
  auto& st = self->state;
  st.config = std::move(config);
  st.owner.start(self, st.config.owner, st.config.part.parameters(), parameters_of(st.config.part.query_norm, st.config.part.key_norm), {},
                 {[self] {
                    self->state.batches.clear();
                    self->state.forward = self->state.backward = {};
                    self->state.turns.clear();
                  },
                  [] {}});
  // By reference, not const: values move in without a copy when no other actor has a reference to the message.
  return make_owner_behavior<training_layer_actor::behavior_type>(
    self, [self](v1::ForwardStates& states) { on_forward(self, states); },
    [self](v1::BackwardStates& states) { on_backward(self, states); },
    [self](v1::HeadPassResult& answer) { on_head_result(self, answer); },
    [self](v1::ShardPassResult& answer) { on_shard_result(self, answer); });
}

} // namespace troupe
