#include "model/error.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/parts.hpp"
#include <cmath>
#include <utility>

namespace troupe {
namespace {

/// What makes a projected vector of a head a query or a key: its norm, then the rotation for its position.
void place(std::span<float> head, const std::optional<norm_weights>& norm, const rope_table* rope,
           std::span<const float> turn) {
  if (norm) normalize(norm->spec, norm->weight, norm->bias, head, head);
  if (rope != nullptr) rope->rotate(head, turn);
}

/// The weights of a query head sum to 1; anything else is broken arithmetic or broken memory. NaN is let
/// through: it comes from the input, and is seen in the output.
void check_weights(std::span<const float> sums) {
  for (const float sum : sums) {
    const bool is_wrong = std::abs(sum - 1.0f) > 1e-3f; // False for NaN.
    TROUPE_ASSERT(!is_wrong);
  }
}

/// One row's heads, [group * head_dim], as a matrix [group, head_dim].
mutable_rows heads_of(std::span<float> row, const attention_spec& spec) {
  return {row.data(), spec.group(), spec.head_dim, spec.head_dim};
}

} // namespace

std::span<const float> row_turns::of(const std::shared_ptr<const rope_table>& rope, uint32_t row, uint32_t position) {
  const size_t size = rope->turn_size();
  if (rope_ != rope) {
    rope_ = rope;
    positions_.clear();
  }
  if (positions_.size() <= row) {
    turns_.resize((row + 1) * size); // First what may get no memory.
    positions_.resize(row + 1, -1);
  }
  float* const turn = turns_.data() + row * size;
  if (std::exchange(positions_[row], int64_t(position)) != int64_t(position)) rope->turn_at(position, turn);
  return {turn, size};
}

score_bias relative_bias::from(uint32_t first_position) const {
  return {values.data() + positions, stride, first_position};
}

kv_cache attention_head_part::make_cache(bool keep_sums, std::shared_ptr<cache_pages> pages) const {
  return kv_cache(spec.head_dim, cached, keep_sums, std::move(pages));
}

void attention_head_part::forward(const_rows x, std::span<const head_slice> slices, mutable_rows out,
                                  part_scratch& scratch, content_name name) const {
  TROUPE_ASSERT(out.rows == x.rows);
  TROUPE_ASSERT(out.columns == output_columns());
  const uint32_t head_dim = spec.head_dim;
  if (!spec.causal && (scratch.cache.head_dim() != head_dim || scratch.cache.type() != cache_type::f32))
    scratch.cache = kv_cache(head_dim);
  const mutable_rows queries = rows_of_buffer(scratch.query, x.rows, output_columns());
  const mutable_rows keys = rows_of_buffer(scratch.key, x.rows, head_dim);
  const mutable_rows values = rows_of_buffer(scratch.value, x.rows, head_dim);
  scratch.input.assign(x, name);
  query.apply(scratch.input, queries);
  key.apply(scratch.input, keys);
  value.apply(scratch.input, values);

  scratch.sums.resize(uint64_t(x.rows) * spec.group());
  uint32_t begin = 0; // Of the slice, in rows of x.
  for (size_t s = 0; s < slices.size(); ++s) {
    const head_slice& slice = slices[s];
    TROUPE_ASSERT(slice.cache != nullptr || (!spec.causal && slice.first_position == 0));
    TROUPE_ASSERT(slice.rows <= x.rows - begin);
    kv_cache& cache = slice.cache != nullptr ? *slice.cache : scratch.cache;
    if (slice.cache == nullptr) cache.clear();
    const kv_cache* const next = s + 1 < slices.size() ? slices[s + 1].cache : nullptr;
    if (next != nullptr) next->fetch_for_write(slices[s + 1].first_position);
    for (uint32_t i = 0; i < slice.rows; ++i) {
      const uint32_t row = begin + i, position = slice.first_position + i;
      const auto turn = rope ? scratch.turns.of(rope, row, position) : std::span<const float>{};
      const mutable_rows heads = heads_of(queries.row(row), spec);
      for (uint32_t head = 0; head < heads.rows; ++head)
        place(heads.row(head), query_norm, rope.get(), turn);
      place(keys.row(row), key_norm, rope.get(), turn);
      cache.write(position, keys.row(row), values.row(row));
    }
    const uint32_t first = slice.first_position;
    const auto visible = spec.causal ? visible_positions{first + 1, 1} : visible_positions{first + slice.rows};
    const auto sums = std::span(scratch.sums).subspan(uint64_t(begin) * spec.group(), uint64_t(slice.rows) * spec.group());
    attend(cache, some_rows(queries, begin, slice.rows), visible, spec.scale, some_rows(out, begin, slice.rows), sums, scratch.weights,
           bias ? bias->from(first) : score_bias{}, next);
    begin += slice.rows;
  }
  TROUPE_ASSERT(begin == x.rows);
  check_weights(scratch.sums);
}

void attention_head_part::remember(const_rows source, std::span<const head_slice> slices, part_scratch& scratch) const {
  const mutable_rows keys = rows_of_buffer(scratch.key, source.rows, spec.head_dim);
  const mutable_rows values = rows_of_buffer(scratch.value, source.rows, spec.head_dim);
  scratch.input.assign(source);
  key.apply(scratch.input, keys);
  value.apply(scratch.input, values);
  uint32_t row = 0;
  for (const head_slice& slice : slices) {
    TROUPE_ASSERT(slice.cache != nullptr && slice.first_position == 0);
    TROUPE_ASSERT(slice.rows <= source.rows - row);
    for (uint32_t i = 0; i < slice.rows; ++i, ++row) slice.cache->write(i, keys.row(row), values.row(row));
  }
  TROUPE_ASSERT(row == source.rows);
}

void attention_head_part::recall(const_rows x, std::span<const head_slice> slices, mutable_rows out, part_scratch& scratch) const {
  TROUPE_ASSERT(out.rows == x.rows);
  TROUPE_ASSERT(out.columns == output_columns());
  const mutable_rows queries = rows_of_buffer(scratch.query, x.rows, output_columns());
  scratch.input.assign(x);
  query.apply(scratch.input, queries);
  scratch.sums.resize(uint64_t(x.rows) * spec.group());
  uint32_t begin = 0;
  for (size_t s = 0; s < slices.size(); ++s) {
    const head_slice& slice = slices[s];
    TROUPE_ASSERT(slice.cache != nullptr);
    TROUPE_ASSERT(slice.rows <= x.rows - begin);
    const kv_cache* const next = s + 1 < slices.size() ? slices[s + 1].cache : nullptr;
    const auto sums = std::span(scratch.sums).subspan(uint64_t(begin) * spec.group(), uint64_t(slice.rows) * spec.group());
    attend(*slice.cache, some_rows(queries, begin, slice.rows), {slice.cache->length()}, spec.scale,
           some_rows(out, begin, slice.rows), sums, scratch.weights, {}, next);
    begin += slice.rows;
  }
  TROUPE_ASSERT(begin == x.rows);
  check_weights(scratch.sums);
}

} // namespace troupe
