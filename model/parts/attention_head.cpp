#include "model/error.hpp"
#include "model/parts.hpp"
#include "model/parts/scratch.hpp"
#include <cmath>

namespace troupe {
namespace {

/// What makes a projected vector of a head a query or a key: its norm, then its position.
void place(std::span<float> head, const std::optional<norm_weights>& norm, const rope_table* rope,
           uint32_t position) {
  if (norm)
    normalize(norm->spec, norm->weight, norm->bias, head, head);
  if (rope != nullptr)
    rope->rotate(head, position);
}

/// Normalised weights sum to 1; anything else is broken arithmetic or broken memory. NaN is let through: it
/// comes from the input, and is seen in the output.
void check_weights_sum(float sum) {
  const bool is_wrong = std::abs(sum - 1.0f) > 1e-3f; // False for NaN.
  TROUPE_ASSERT(!is_wrong);
}

} // namespace

void attention_head_part::forward(const_rows x, std::span<const head_slice> slices, mutable_rows out,
                                  part_scratch& scratch) const {
  TROUPE_ASSERT(out.rows == x.rows);
  TROUPE_ASSERT(out.columns == output_columns());
  const uint32_t head_dim = spec.head_dim;
  const mutable_rows queries = rows_in(scratch.query, x.rows, output_columns());
  const mutable_rows keys = rows_in(scratch.key, x.rows, head_dim);
  const mutable_rows values = rows_in(scratch.value, x.rows, head_dim);
  scratch.input.assign(x);
  query.apply(scratch.input, queries);
  key.apply(scratch.input, keys);
  value.apply(scratch.input, values);

  uint32_t begin = 0; // Of the slice, in rows of x.
  for (const head_slice& slice : slices) {
    TROUPE_ASSERT(slice.cache != nullptr);
    TROUPE_ASSERT(slice.rows <= x.rows - begin);
    for (uint32_t i = 0; i < slice.rows; ++i) {
      place(keys.row(begin + i), key_norm, rope.get(), slice.first_position + i);
      slice.cache->write(slice.first_position + i, keys.row(begin + i), values.row(begin + i));
    }
    for (uint32_t i = 0; i < slice.rows; ++i) {
      const uint32_t position = slice.first_position + i;
      const uint32_t visible = spec.causal ? position + 1 : slice.first_position + slice.rows;
      for (uint32_t column = 0; column < out.columns; column += head_dim) {
        const std::span<float> head = queries.row(begin + i).subspan(column, head_dim);
        place(head, query_norm, rope.get(), position);
        check_weights_sum(attend(*slice.cache, head, visible, spec.scale,
                                 out.row(begin + i).subspan(column, head_dim), scratch.weights));
      }
    }
    begin += slice.rows;
  }
  TROUPE_ASSERT(begin == x.rows);
}

} // namespace troupe
