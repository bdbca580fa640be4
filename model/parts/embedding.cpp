#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/parts.hpp"

namespace troupe {
namespace {

/// x += a row of a table.
void add_row(const tensor_view& table, uint32_t row, std::span<float> x, part_scratch& scratch) {
  TROUPE_ASSERT(row < table.rows);
  const mutable_rows buffer = rows_of_buffer(scratch.row, 1, uint32_t(x.size()));
  dequantize_row(table, row, buffer.row(0));
  add(x, buffer.row(0));
}

} // namespace

void embedding_part::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                             std::span<const uint32_t> segments_of, mutable_rows out, part_scratch& scratch) const {
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  TROUPE_ASSERT(segments_of.empty() || segments_of.size() == out.rows);
  TROUPE_ASSERT(table.columns == out.columns);
  for (uint32_t row = 0; row < out.rows; ++row) {
    TROUPE_ASSERT(tokens[row] < table.rows);
    const auto x = out.row(row);
    dequantize_row(table, tokens[row], x);
    if (spec.scale != 1)
      for (float& element : x) element *= spec.scale;
    if (segments) add_row(*segments, segments_of.empty() ? 0 : segments_of[row], x, scratch);
    if (positions) add_row(*positions, positions_of[row] + spec.position_offset, x, scratch);
    if (!sinusoids.empty()) {
      const uint64_t first = uint64_t(positions_of[row]) * out.columns;
      TROUPE_ASSERT(first + out.columns <= sinusoids.size());
      add(x, {sinusoids.data() + first, out.columns});
    }
  }
  if (norm) norm->apply(out, out);
}

} // namespace troupe
