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
  const_rows query, key, value; // [length, head_dim]
};

uint32_t keys_seen(const attention_spec& spec, uint32_t row, uint32_t length) { return spec.causal ? row + 1 : length; }

/// Turns scores into weights, each row over what it sees of `keys`.
void weigh(const attention_spec& spec, mutable_rows scores, uint32_t first_row, uint32_t length) {
  for (uint32_t row = 0; row < scores.rows; ++row) {
    const uint32_t seen = keys_seen(spec, first_row + row, length);
    const auto values = scores.row(row);
    for (float& score : values.first(seen)) score *= spec.scale;
    softmax(values.first(seen));
    std::ranges::fill(values.subspan(seen), 0.0f);
  }
}

/// Calls function(first query, queries, keys) for each block.
template <class Function> void each_block(const attention_spec& spec, uint32_t length, Function function) {
  for (uint32_t first = 0; first < length; first += queries_at_once) {
    const uint32_t count = std::min(queries_at_once, length - first);
    function(first, count, keys_seen(spec, first + count - 1, length));
  }
}

void attend(const attention_spec& spec, const head_rows& head, mutable_rows out, training_scratch& scratch) {
  const uint32_t length = head.query.rows;
  const gemm_panels keys = lay_out(transposed(head.key), scratch.turned_keys), values = lay_out(as_is(head.value), scratch.values);
  each_block(spec, length, [&](uint32_t first, uint32_t count, uint32_t seen) {
    const mutable_rows scores = rows_of_buffer(scratch.scores, count, seen);
    gemm(as_is(some_rows(head.query, first, count)), keys.first_columns(seen), scores, false, scratch.gemm);
    weigh(spec, scores, first, length);
    gemm(as_is(scores), values.some_rows(0, seen), some_rows(out, first, count), false, scratch.gemm);
  });
}

/// dquery is written, dkey and dvalue are added to.
void attend_backward(const attention_spec& spec, const head_rows& head, const_rows dout, mutable_rows dquery, mutable_rows dkey,
                     mutable_rows dvalue, training_scratch& scratch) {
  const uint32_t length = head.query.rows;
  const gemm_panels queries = lay_out(as_is(head.query), scratch.queries), outputs = lay_out(as_is(dout), scratch.output_gradients);
  const gemm_panels keys = lay_out(as_is(head.key), scratch.keys), turned_keys = lay_out(transposed(head.key), scratch.turned_keys),
                    turned_values = lay_out(transposed(head.value), scratch.turned_values);
  each_block(spec, length, [&](uint32_t first, uint32_t count, uint32_t seen) {
    const const_rows query = some_rows(head.query, first, count), dy = some_rows(dout, first, count);
    const mutable_rows weights = rows_of_buffer(scratch.scores, count, seen);
    gemm(as_is(query), turned_keys.first_columns(seen), weights, false, scratch.gemm);
    weigh(spec, weights, first, length);
    gemm(transposed(weights), outputs.some_rows(first, count), some_rows(dvalue, 0, seen), true, scratch.gemm);
    const mutable_rows dscores = rows_of_buffer(scratch.score_gradients, count, seen);
    gemm(as_is(dy), turned_values.first_columns(seen), dscores, false, scratch.gemm);
    for (uint32_t row = 0; row < count; ++row) softmax_backward(weights.row(row), dscores.row(row), spec.scale);
    gemm(as_is(dscores), keys.some_rows(0, seen), some_rows(dquery, first, count), false, scratch.gemm);
    gemm(transposed(dscores), queries.some_rows(first, count), some_rows(dkey, 0, seen), true, scratch.gemm);
  });
}

void check_rows(std::span<const uint32_t> lengths, uint32_t rows) {
  uint64_t sum = 0;
  for (const uint32_t length : lengths) sum += length;
  TROUPE_ASSERT(sum == rows);
}

/// Calls function(row, position) for all rows.
template <class Function> void each_position(std::span<const uint32_t> lengths, Function function) {
  uint32_t row = 0;
  for (const uint32_t length : lengths)
    for (uint32_t position = 0; position < length; ++position) function(row++, position);
}

} // namespace

void trainable_head::forward(const_rows x, std::span<const uint32_t> lengths, mutable_rows out, kept_head& kept,
                             training_scratch& scratch) const {
  check_rows(lengths, x.rows);
  TROUPE_ASSERT(out.rows == x.rows);
  TROUPE_ASSERT(out.columns == output_columns());
  const uint32_t head_dim = spec.head_dim, group = spec.group();
  const mutable_rows queries = rows_of_buffer(kept.query, x.rows, group * head_dim);
  const mutable_rows keys = rows_of_buffer(kept.key, x.rows, head_dim), values = rows_of_buffer(kept.value, x.rows, head_dim);
  query.forward(x, queries, scratch);
  key.forward(x, keys, scratch);
  value.forward(x, values, scratch);
  if (query_norm) kept.raw_query.assign(queries.data, queries.data + uint64_t(x.rows) * queries.columns);
  if (key_norm) kept.raw_key.assign(keys.data, keys.data + uint64_t(x.rows) * keys.columns);
  each_position(lengths, [&](uint32_t row, uint32_t position) {
    if (rope) rope->turn_at(position, scratch.turn);
    const auto place = [&](std::span<float> vector, const std::optional<trainable_norm>& norm) {
      if (norm) normalize(norm->spec, norm->weight.value, norm->bias.value, vector, vector);
      if (rope) rope->rotate(vector, scratch.turn);
    };
    for (uint32_t head = 0; head < group; ++head) place(queries.row(row).subspan(head * head_dim, head_dim), query_norm);
    place(keys.row(row), key_norm);
  });
  uint32_t first = 0;
  for (const uint32_t length : lengths) {
    for (uint32_t head = 0; head < group; ++head)
      attend(spec,
             {some_columns(some_rows(queries, first, length), head * head_dim, head_dim), some_rows(keys, first, length),
              some_rows(values, first, length)},
             some_columns(some_rows(out, first, length), head * head_dim, head_dim), scratch);
    first += length;
  }
}

void trainable_head::backward(const_rows x, std::span<const uint32_t> lengths, const kept_head& kept, const_rows dout,
                              mutable_rows dx, training_scratch& scratch) {
  check_rows(lengths, x.rows);
  TROUPE_ASSERT(dout.rows == x.rows);
  TROUPE_ASSERT(dout.columns == output_columns());
  const uint32_t head_dim = spec.head_dim, group = spec.group();
  const const_rows queries = rows_of_buffer(kept.query, x.rows, group * head_dim);
  const const_rows keys = rows_of_buffer(kept.key, x.rows, head_dim), values = rows_of_buffer(kept.value, x.rows, head_dim);
  const mutable_rows dqueries = rows_of_buffer(scratch.query_gradient, x.rows, group * head_dim);
  const mutable_rows dkeys = rows_of_buffer(scratch.key_gradient, x.rows, head_dim);
  const mutable_rows dvalues = rows_of_buffer(scratch.value_gradient, x.rows, head_dim);
  std::fill_n(dkeys.data, uint64_t(x.rows) * head_dim, 0.0f);
  std::fill_n(dvalues.data, uint64_t(x.rows) * head_dim, 0.0f);
  uint32_t first = 0;
  for (const uint32_t length : lengths) {
    for (uint32_t head = 0; head < group; ++head)
      attend_backward(spec,
                      {some_columns(some_rows(queries, first, length), head * head_dim, head_dim),
                       some_rows(keys, first, length), some_rows(values, first, length)},
                      some_columns(some_rows(dout, first, length), head * head_dim, head_dim),
                      some_columns(some_rows(dqueries, first, length), head * head_dim, head_dim),
                      some_rows(dkeys, first, length), some_rows(dvalues, first, length), scratch);
    first += length;
  }
  std::vector<float> unplaced(head_dim);
  each_position(lengths, [&](uint32_t row, uint32_t position) {
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
  key.input_gradient(dkeys, dx, true, scratch);
  value.input_gradient(dvalues, dx, true, scratch);
  const gemm_panels input = lay_out(as_is(x), scratch.panels);
  query.add_gradients(input, dqueries, scratch);
  key.add_gradients(input, dkeys, scratch);
  value.add_gradients(input, dvalues, scratch);
}

void trainable_head::prepare() {
  for (auto* one : {&query, &key, &value}) one->prepare();
}

} // namespace troupe
