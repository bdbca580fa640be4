// Attention and its gradient, "Attention Is All You Need" §3.2. For a sequence and a head, with S = Q Kᵀ, P = softmax(scale * S) row by
// row, O = P V:
//   dV = Pᵀ dO;  dP = dO Vᵀ;  dS = scale * P * (dP - sum of P * dP in the row);  dQ = dS K;  dK = dSᵀ Q.
// The scores are scaled, not the queries, because inference does so: only then are the bits the same for every scale.
// P is not kept, it is computed again: memory grows with the length of a sequence, not with its square. Queries go in blocks, each
// with the keys that it sees. Of what a row does not see the weights are 0, which adds nothing.
#include "model/error.hpp"
#include "model/kernels/gemm.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {
namespace {

constexpr uint32_t queries_at_once = 64;

/// The other direction: its transpose.
void turn_back(std::span<float> turn) {
  for (float& sine : turn.subspan(turn.size() / 2)) sine = -sine;
}

/// One sequence's rows of one query head and of the keys and values.
struct head_rows {
  const_rows query, key, value; // [length, head_dim], [keys, head_dim] twice: as many as queries, except in cross-attention.
};

uint32_t keys_seen(const attention_spec& spec, uint32_t row, uint32_t keys) { return spec.causal ? row + 1 : keys; }

/// Turns scores into weights, each row over what it sees of `keys`.
void weigh(const attention_spec& spec, mutable_rows scores, uint32_t first_row, uint32_t keys) {
  for (uint32_t row = 0; row < scores.rows; ++row) {
    const uint32_t seen = keys_seen(spec, first_row + row, keys);
    const auto values = scores.row(row);
    for (float& score : values.first(seen)) score *= spec.scale;
    softmax(values.first(seen));
    std::ranges::fill(values.subspan(seen), 0.0f);
  }
}

/// Calls function(first query, queries, keys) for each block.
template <class Function> void each_block(const attention_spec& spec, const head_rows& head, Function function) {
  for (uint32_t first = 0; first < head.query.rows; first += queries_at_once) {
    const uint32_t count = std::min(queries_at_once, head.query.rows - first);
    function(first, count, keys_seen(spec, first + count - 1, head.key.rows));
  }
}

void attend(const attention_spec& spec, const head_rows& head, mutable_rows out, training_scratch& scratch) {
  const gemm_panels keys = lay_out(transposed(head.key), scratch.turned_keys), values = lay_out(as_is(head.value), scratch.values);
  each_block(spec, head, [&](uint32_t first, uint32_t count, uint32_t seen) {
    const mutable_rows scores = rows_of_buffer(scratch.scores, count, seen);
    gemm(as_is(some_rows(head.query, first, count)), keys.first_columns(seen), scores, false, scratch.gemm);
    weigh(spec, scores, first, head.key.rows);
    gemm(as_is(scores), values.some_rows(0, seen), some_rows(out, first, count), false, scratch.gemm);
  });
}

/// dquery is written, dkey and dvalue are added to.
void attend_backward(const attention_spec& spec, const head_rows& head, const_rows dout, mutable_rows dquery, mutable_rows dkey,
                     mutable_rows dvalue, training_scratch& scratch) {
  const gemm_panels queries = lay_out(as_is(head.query), scratch.queries), outputs = lay_out(as_is(dout), scratch.output_gradients);
  const gemm_panels keys = lay_out(as_is(head.key), scratch.keys), turned_keys = lay_out(transposed(head.key), scratch.turned_keys),
                    turned_values = lay_out(transposed(head.value), scratch.turned_values);
  each_block(spec, head, [&](uint32_t first, uint32_t count, uint32_t seen) {
    const const_rows query = some_rows(head.query, first, count), dy = some_rows(dout, first, count);
    const mutable_rows weights = rows_of_buffer(scratch.scores, count, seen);
    gemm(as_is(query), turned_keys.first_columns(seen), weights, false, scratch.gemm);
    weigh(spec, weights, first, head.key.rows);
    gemm(transposed(weights), outputs.some_rows(first, count), some_rows(dvalue, 0, seen), true, scratch.gemm);
    const mutable_rows dscores = rows_of_buffer(scratch.score_gradients, count, seen);
    gemm(as_is(dy), turned_values.first_columns(seen), dscores, false, scratch.gemm);
    for (uint32_t row = 0; row < count; ++row) softmax_backward(weights.row(row), dscores.row(row), spec.scale);
    gemm(as_is(dscores), keys.some_rows(0, seen), some_rows(dquery, first, count), false, scratch.gemm);
    gemm(transposed(dscores), queries.some_rows(first, count), some_rows(dkey, 0, seen), true, scratch.gemm);
  });
}

void check_rows(const sequence_rows& x) {
  uint64_t sum = 0;
  for (const uint32_t length : x.lengths) sum += length;
  TROUPE_ASSERT(sum == x.rows.rows);
}

void check(const trainable_head& head, const sequence_rows& x, const sequence_rows& source, const_rows out) {
  check_rows(x);
  check_rows(source);
  TROUPE_ASSERT(x.lengths.size() == source.lengths.size());
  TROUPE_ASSERT(head.is_cross || x.rows.rows == source.rows.rows);
  TROUPE_ASSERT(out.rows == x.rows.rows);
  TROUPE_ASSERT(out.columns == head.output_columns());
  if (head.is_cross) TROUPE_ASSERT(!head.spec.causal && std::ranges::find(source.lengths, 0u) == source.lengths.end());
}

/// Calls function(sequence's rows, its source's rows) for each sequence.
template <class Function> void each_sequence(const sequence_rows& x, const sequence_rows& source, Function function) {
  range own, other;
  for (size_t i = 0; i < x.lengths.size(); ++i) {
    own.count = x.lengths[i];
    other.count = source.lengths[i];
    function(own, other);
    own.first += own.count;
    other.first += other.count;
  }
}

/// Calls function(row, position) for all rows.
template <class Function> void each_position(std::span<const uint32_t> lengths, Function function) {
  uint32_t row = 0;
  for (const uint32_t length : lengths)
    for (uint32_t position = 0; position < length; ++position) function(row++, position);
}

} // namespace

void trainable_head::forward(const sequence_rows& x, const sequence_rows& source, mutable_rows out, kept_head& kept,
                             training_scratch& scratch) const {
  check(*this, x, source, out);
  const uint32_t head_dim = spec.head_dim, group = spec.group();
  const mutable_rows queries = rows_of_buffer(kept.query, x.rows.rows, group * head_dim);
  const mutable_rows keys = rows_of_buffer(kept.key, source.rows.rows, head_dim);
  const mutable_rows values = rows_of_buffer(kept.value, source.rows.rows, head_dim);
  query.forward(x.rows, queries, scratch);
  key.forward(source.rows, keys, scratch);
  value.forward(source.rows, values, scratch);
  if (query_norm) kept.raw_query.assign(queries.data, queries.data + uint64_t(queries.rows) * queries.columns);
  if (key_norm) kept.raw_key.assign(keys.data, keys.data + uint64_t(keys.rows) * keys.columns);
  if (rope || query_norm || key_norm)
    each_position(x.lengths, [&](uint32_t row, uint32_t position) {
      if (rope) rope->turn_at(position, scratch.turn);
      const auto place = [&](std::span<float> vector, const std::optional<trainable_norm>& norm) {
        if (norm) normalize(norm->spec, norm->weight.value, norm->bias.value, vector, vector);
        if (rope) rope->rotate(vector, scratch.turn);
      };
      for (uint32_t head = 0; head < group; ++head) place(queries.row(row).subspan(head * head_dim, head_dim), query_norm);
      place(keys.row(row), key_norm);
    });
  each_sequence(x, source, [&](range own, range other) {
    for (uint32_t head = 0; head < group; ++head)
      attend(spec,
             {some_columns(some_rows(queries, own.first, own.count), head * head_dim, head_dim),
              some_rows(keys, other.first, other.count), some_rows(values, other.first, other.count)},
             some_columns(some_rows(out, own.first, own.count), head * head_dim, head_dim), scratch);
  });
}

void trainable_head::backward(const sequence_rows& x, const sequence_rows& source, const kept_head& kept, const_rows dout,
                              mutable_rows dx, mutable_rows dsource, training_scratch& scratch) {
  check(*this, x, source, dout);
  TROUPE_ASSERT(is_cross == (dx.data != dsource.data));
  const uint32_t head_dim = spec.head_dim, group = spec.group(), rows = x.rows.rows, source_rows = source.rows.rows;
  const const_rows queries = rows_of_buffer(kept.query, rows, group * head_dim);
  const const_rows keys = rows_of_buffer(kept.key, source_rows, head_dim), values = rows_of_buffer(kept.value, source_rows, head_dim);
  const mutable_rows dqueries = rows_of_buffer(scratch.query_gradient, rows, group * head_dim);
  const mutable_rows dkeys = rows_of_buffer(scratch.key_gradient, source_rows, head_dim);
  const mutable_rows dvalues = rows_of_buffer(scratch.value_gradient, source_rows, head_dim);
  std::fill_n(dkeys.data, uint64_t(source_rows) * head_dim, 0.0f);
  std::fill_n(dvalues.data, uint64_t(source_rows) * head_dim, 0.0f);
  each_sequence(x, source, [&](range own, range other) {
    for (uint32_t head = 0; head < group; ++head)
      attend_backward(spec,
                      {some_columns(some_rows(queries, own.first, own.count), head * head_dim, head_dim),
                       some_rows(keys, other.first, other.count), some_rows(values, other.first, other.count)},
                      some_columns(some_rows(dout, own.first, own.count), head * head_dim, head_dim),
                      some_columns(some_rows(dqueries, own.first, own.count), head * head_dim, head_dim),
                      some_rows(dkeys, other.first, other.count), some_rows(dvalues, other.first, other.count), scratch);
  });
  std::vector<float> unplaced(head_dim);
  if (rope || query_norm || key_norm)
    each_position(x.lengths, [&](uint32_t row, uint32_t position) {
      if (rope) {
        rope->turn_at(position, scratch.turn);
        turn_back(scratch.turn);
      }
      const auto unplace = [&](std::span<float> gradient, std::optional<trainable_norm>& norm, std::span<const float> raw) {
        if (rope) rope->rotate(gradient, scratch.turn);
        if (!norm) return;
        std::ranges::fill(unplaced, 0.0f);
        normalize_backward(norm->spec, norm->weight.value, raw, gradient, unplaced, norm->weight.gradient, norm->bias.gradient);
        std::ranges::copy(unplaced, gradient.begin());
      };
      const auto raw = [&](const row_buffer& all, uint32_t columns, uint32_t begin) {
        return all.empty() ? std::span<const float>{} : std::span(all).subspan(uint64_t(row) * columns + begin, head_dim);
      };
      for (uint32_t head = 0; head < group; ++head)
        unplace(dqueries.row(row).subspan(head * head_dim, head_dim), query_norm,
                raw(kept.raw_query, group * head_dim, head * head_dim));
      unplace(dkeys.row(row), key_norm, raw(kept.raw_key, head_dim, 0));
    });
  query.input_gradient(dqueries, dx, false, scratch);
  key.input_gradient(dkeys, dsource, !is_cross, scratch);
  value.input_gradient(dvalues, dsource, true, scratch);
  if (is_cross) query.add_gradients(x.rows, dqueries, scratch); // Each lays its input out in the same buffer.
  const gemm_panels input = lay_out(as_is(source.rows), scratch.panels);
  if (!is_cross) query.add_gradients(input, dqueries, scratch);
  key.add_gradients(input, dkeys, scratch);
  value.add_gradients(input, dvalues, scratch);
}

void trainable_head::prepare() {
  for (auto* one : {&query, &key, &value}) one->prepare();
}

} // namespace troupe
