#include "model/error.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/row_buffers.hpp"
#include "model/parts.hpp"

namespace troupe {

void embedding_part::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                             mutable_rows out, part_scratch& scratch) const {
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  TROUPE_ASSERT(table.columns == out.columns);
  for (uint32_t row = 0; row < out.rows; ++row) {
    TROUPE_ASSERT(tokens[row] < table.rows);
    dequantize_row(table, tokens[row], out.row(row));
    if (!positions) continue;
    TROUPE_ASSERT(positions_of[row] < positions->rows);
    const mutable_rows position = rows_of_buffer(scratch.row, 1, out.columns);
    dequantize_row(*positions, positions_of[row], position.row(0));
    add(out.row(row), position.row(0));
  }
}

} // namespace troupe
