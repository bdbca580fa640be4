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

uint32_t attended_width(const attention_spec& spec) { return spec.heads * spec.head_dim; }

bool is_of_heads(round_kind round) { return round == round_kind::heads || round == round_kind::cross_heads; }

/// The attention that a round belongs to.
const attention_spec& attention_of(const training_layer_config& config, round_kind round) {
  return round == round_kind::heads || round == round_kind::output ? config.spec.attention : *config.spec.cross_attention;
}
const std::vector<std::string>& heads_of(const training_layer_config& config, round_kind round) {
  return round == round_kind::heads ? config.heads : config.cross_heads;
}

v1::Projection projection_of(round_kind round) {
  switch (round) {
  case round_kind::output: return v1::PROJECTION_ATTENTION_OUTPUT;
  case round_kind::cross_output: return v1::PROJECTION_CROSS_ATTENTION_OUTPUT;
  case round_kind::inner: return v1::PROJECTION_FEED_FORWARD_INNER;
  case round_kind::outer: return v1::PROJECTION_FEED_FORWARD_OUTER;
  default: return v1::PROJECTION_UNSPECIFIED;
  }
}

/// How many columns a projection takes, and how many it gives.
uint32_t inputs_of(const training_layer_config& config, round_kind round) {
  switch (round) {
  case round_kind::output:
  case round_kind::cross_output: return attended_width(attention_of(config, round));
  case round_kind::outer: return config.spec.feed_forward.width;
  default: return config.width;
  }
}
uint32_t outputs_of(const training_layer_config& config, round_kind round) {
  return round == round_kind::inner ? config.spec.feed_forward.width : config.width;
}

void ask_heads(layer_pointer self, batch_state& batch, round_kind round, float_field values, uint32_t width) {
  auto& st = self->state;
  const auto& heads = heads_of(st.config, round);
  batch.round = round;
  batch.from_heads.expect(heads.size());
  v1::HeadPass pass;
  pass.set_epoch(st.owner.now().epoch);
  pass.set_step(st.owner.now().step);
  *pass.mutable_batch() = batch.batch;
  pass.set_backward(batch.backward);
  pass.set_width(width);
  pass.mutable_values()->Swap(&values);
  if (round == round_kind::cross_heads && !batch.backward) *pass.mutable_source() = batch.source;
  const packed<v1::HeadPass> shared{std::move(pass)};
  for (const auto& path : heads) send_packed(self, st.owner.peer<head_receiver>(path), shared);
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

float_field normed(const trainable_norm& norm, const batch_state& batch, const float_field& x, uint32_t width) {
  float_field values;
  allocate(values, uint64_t(batch.rows) * width);
  norm.forward(rows_in(x, batch, width), rows_of(values, batch.rows, width));
  return values;
}

/// x += y, element by element.
void add_field(float_field& x, const float_field& y) {
  TROUPE_ASSERT(x.size() == y.size());
  add({x.mutable_data(), size_t(x.size())}, {y.data(), size_t(y.size())});
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

/// What a block gave, or its gradient, with what is dropped set to 0.
float_field dropped(layer_pointer self, const batch_state& batch, dropout_site site, float_field values) {
  const auto& config = self->state.config;
  apply(dropout_of(batch.batch, config.of_encoder), config.number, site, rows_of(values, batch.rows, config.width));
  return values;
}

// A block is attention or feed-forward, with its norm and its residual sum; see norm_place.

/// What the block gets.
float_field enter_block(layer_pointer self, const batch_state& batch, const trainable_norm& norm) {
  const auto& config = self->state.config;
  return config.part.norms == norm_place::before ? normed(norm, batch, batch.stream, config.width) : batch.stream;
}

/// The block gave `values`; norm_in becomes what its norm got.
void leave_block(layer_pointer self, batch_state& batch, const trainable_norm& norm, float_field values, float_field& norm_in) {
  const auto& config = self->state.config;
  add_field(values, batch.stream);
  if (config.part.norms == norm_place::before) {
    norm_in.Swap(&batch.stream);
    batch.stream.Swap(&values);
  } else {
    batch.stream = normed(norm, batch, values, config.width);
    norm_in.Swap(&values);
  }
}

/// The gradient of what the block gave. The stream is that of what left the block, and becomes that of the residual sum.
float_field enter_block_backward(layer_pointer self, batch_state& batch, trainable_norm& norm, const float_field& norm_in,
                                 dropout_site site) {
  const auto& config = self->state.config;
  if (config.part.norms == norm_place::after) {
    float_field gradient;
    gradient.Resize(batch.stream.size(), 0.0f);
    norm.backward(rows_in(norm_in, batch, config.width), rows_in(batch.stream, batch, config.width),
                  rows_of(gradient, batch.rows, config.width));
    batch.stream.Swap(&gradient);
  }
  return dropped(self, batch, site, batch.stream);
}

/// gradient: of what the block got. The stream becomes that of what entered the block. norm_in is used up.
void leave_block_backward(layer_pointer self, batch_state& batch, trainable_norm& norm, float_field& norm_in,
                          const float_field& gradient) {
  const auto& config = self->state.config;
  if (config.part.norms == norm_place::before)
    norm.backward(rows_in(norm_in, batch, config.width), rows_in(gradient, batch, config.width),
                  rows_of(batch.stream, batch.rows, config.width));
  else add_field(batch.stream, gradient);
  norm_in.Clear();
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
  states.mutable_tokens()->Swap(&batch.tokens);
  states.mutable_source()->Swap(&batch.source);
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
  states.mutable_source()->Swap(&batch.source);
  states.set_compute_ns(batch.compute_ns);
  self->send(st.owner.peer<backward_stage_actor>(st.config.previous), std::move(states));
  st.batches.erase(batch.batch.index());
}

/// What all heads gave, side by side.
float_field attended(layer_pointer self, batch_state& batch) {
  const attention_spec& attention = attention_of(self->state.config, batch.round);
  return side_by_side(batch.from_heads.all(), batch.rows, attended_width(attention),
                      [&](uint32_t head) { return head * attention.group() * attention.head_dim; });
}

void begin_feed_forward(layer_pointer self, batch_state& batch) {
  ask_shards(self, batch, round_kind::inner, enter_block(self, batch, self->state.config.part.feed_forward_norm));
}

/// The next thing to do with a micro-batch, all answers of the round being there.
void go_on_forward(layer_pointer self, batch_state& batch) {
  auto& config = self->state.config;
  const auto& part = config.part;
  const auto given = [&](dropout_site site) { return dropped(self, batch, site, columns_of_shards(self, batch)); };
  switch (batch.round) {
  case round_kind::heads: return ask_shards(self, batch, round_kind::output, attended(self, batch));
  case round_kind::output:
    leave_block(self, batch, part.attention_norm, given(dropout_site::attention), batch.attention_in);
    if (!part.cross_attention_norm) return begin_feed_forward(self, batch);
    return ask_heads(self, batch, round_kind::cross_heads, enter_block(self, batch, *part.cross_attention_norm), config.width);
  case round_kind::cross_heads: return ask_shards(self, batch, round_kind::cross_output, attended(self, batch));
  case round_kind::cross_output:
    leave_block(self, batch, *part.cross_attention_norm, given(dropout_site::cross_attention), batch.cross_attention_in);
    return begin_feed_forward(self, batch);
  case round_kind::inner: return ask_shards(self, batch, round_kind::outer, columns_of_shards(self, batch));
  case round_kind::outer:
    leave_block(self, batch, part.feed_forward_norm, given(dropout_site::feed_forward), batch.feed_forward_in);
    return finish_forward(self, batch);
  }
}

/// The sum of what all heads gave backward, in their order. field: of an answer.
template <class Field> float_field sum_of_heads(batch_state& batch, Field field) {
  auto& answers = batch.from_heads.all();
  float_field sum;
  sum.Swap(field(answers.front()));
  for (size_t head = 1; head < answers.size(); ++head) add_field(sum, *field(answers[head]));
  return sum;
}
float_field sum_of_heads(batch_state& batch) {
  return sum_of_heads(batch, [](v1::HeadPassResult& answer) { return answer.mutable_values(); });
}

void begin_attention_backward(layer_pointer self, batch_state& batch) {
  ask_shards(self, batch, round_kind::output,
             enter_block_backward(self, batch, self->state.config.part.attention_norm, batch.attention_in, dropout_site::attention));
}

void go_on_backward(layer_pointer self, batch_state& batch) {
  auto& config = self->state.config;
  auto& part = config.part;
  switch (batch.round) {
  case round_kind::outer: return ask_shards(self, batch, round_kind::inner, sum_of_shards(self, batch));
  case round_kind::inner:
    leave_block_backward(self, batch, part.feed_forward_norm, batch.feed_forward_in, sum_of_shards(self, batch));
    if (!part.cross_attention_norm) return begin_attention_backward(self, batch);
    return ask_shards(self, batch, round_kind::cross_output,
                      enter_block_backward(self, batch, *part.cross_attention_norm, batch.cross_attention_in,
                                           dropout_site::cross_attention));
  case round_kind::cross_output:
    return ask_heads(self, batch, round_kind::cross_heads, sum_of_shards(self, batch), inputs_of(config, batch.round));
  case round_kind::cross_heads: {
    const float_field source = sum_of_heads(batch, [](v1::HeadPassResult& answer) { return answer.mutable_source(); });
    if (batch.source.empty()) batch.source.Resize(source.size(), 0.0f); // The last layer is the first to add to it.
    add_field(batch.source, source);
    leave_block_backward(self, batch, *part.cross_attention_norm, batch.cross_attention_in, sum_of_heads(batch));
    return begin_attention_backward(self, batch);
  }
  case round_kind::output:
    return ask_heads(self, batch, round_kind::heads, sum_of_shards(self, batch), inputs_of(config, batch.round));
  case round_kind::heads:
    leave_block_backward(self, batch, part.attention_norm, batch.attention_in, sum_of_heads(batch));
    return finish_backward(self, batch);
  }
}

void end_rounds(layer_pointer self, const batch_state& batch) {
  auto& st = self->state;
  const bool backward = batch.backward;
  const auto round = batch.round;
  const auto has_all = [&](const batch_state& one) {
    return one.round == round && (is_of_heads(round) ? one.from_heads.complete() : one.from_shards.complete());
  };
  end_in_turn(st.batches, st.turns[{backward, round}], backward, has_all, [&](batch_state& one) {
    if (backward) go_on_backward(self, one);
    else go_on_forward(self, one);
  });
}

/// Whether the values of an answer are as many as they should be, and finite; if not, the step is given up.
bool are_fine(layer_pointer self, const float_field& values, uint64_t wanted, const std::string& path) {
  auto& st = self->state;
  const bool has_shape = uint64_t(values.size()) == wanted;
  if (has_shape && is_finite({values.data(), size_t(values.size())})) return true;
  st.owner.report(make_fault(st.owner.now(), has_shape ? v1::FAULT_KIND_NON_FINITE : v1::FAULT_KIND_BAD_SHAPE, st.owner.name_of(path)));
  return false;
}

template <class Answer>
bool is_fine(layer_pointer self, const Answer& answer, uint64_t matrices, uint32_t width, const batch_state& batch,
             const std::string& path) {
  const uint64_t wanted = answer.width() == width ? matrices * batch.rows * width : UINT64_MAX; // As many as there cannot be.
  return are_fine(self, answer.values(), wanted, path);
}

void on_forward(layer_pointer self, v1::ForwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.forward.admit(states.batch().index())) return;
  TROUPE_ASSERT(states.layer() == st.config.index);
  TROUPE_ASSERT(states.width() == st.config.width);
  auto& batch = st.batches[states.batch().index()];
  batch.batch = states.batch();
  batch.rows = rows_of(states.batch(), st.config.of_encoder);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch.rows) * st.config.width);
  batch.stream.Swap(states.mutable_values());
  batch.targets.Swap(states.mutable_targets());
  batch.tokens.Swap(states.mutable_tokens());
  batch.source.Swap(states.mutable_source());
  batch.compute_ns = states.compute_ns();
  ask_heads(self, batch, round_kind::heads, enter_block(self, batch, st.config.part.attention_norm), st.config.width);
}

void on_backward(layer_pointer self, v1::BackwardStates& states) {
  auto& st = self->state;
  if (!st.owner.is_current(states) || !st.backward.admit(states.micro_batch())) return;
  auto* batch = find_batch(st.batches, states.micro_batch(), false);
  TROUPE_ASSERT(batch != nullptr);
  TROUPE_ASSERT(uint64_t(states.values_size()) == uint64_t(batch->rows) * st.config.width);
  batch->backward = true;
  batch->stream.Swap(states.mutable_values());
  batch->source.Swap(states.mutable_source());
  batch->compute_ns = states.compute_ns();
  ask_shards(self, *batch, round_kind::outer,
             enter_block_backward(self, *batch, st.config.part.feed_forward_norm, batch->feed_forward_in, dropout_site::feed_forward));
}

void on_head_result(layer_pointer self, v1::HeadPassResult& answer) {
  auto& st = self->state;
  if (!st.owner.is_current(answer)) return;
  auto* batch = find_batch(st.batches, answer.micro_batch(), answer.backward());
  const auto round = answer.is_cross() ? round_kind::cross_heads : round_kind::heads;
  if (batch == nullptr || batch->round != round) return;
  const uint32_t head = answer.head();
  const auto& heads = heads_of(st.config, round);
  TROUPE_ASSERT(head < heads.size());
  const auto& attention = attention_of(st.config, round);
  const uint32_t width = answer.backward() ? st.config.width : attention.group() * attention.head_dim;
  if (!is_fine(self, answer, 1, width, *batch, heads[head])) return;
  const uint64_t source_rows = answer.is_cross() && answer.backward() ? rows_of(batch->batch, true) : 0;
  if (!are_fine(self, answer.source(), source_rows * width, heads[head])) return;
  batch->compute_ns += answer.compute_ns();
  if (batch->from_heads.take(head, answer)) end_rounds(self, *batch);
}

void on_shard_result(layer_pointer self, v1::ShardPassResult& answer) {
  auto& st = self->state;
  if (!st.owner.is_current(answer)) return;
  auto* batch = find_batch(st.batches, answer.micro_batch(), answer.backward());
  if (batch == nullptr || is_of_heads(batch->round) || projection_of(batch->round) != answer.projection()) return;
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
