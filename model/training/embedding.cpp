#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include "model/training/trainable_parts.hpp"
#include <algorithm>

namespace troupe {

void trainable_embedding::forward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of,
                                  mutable_rows out) const {
  TROUPE_ASSERT(tokens.size() == out.rows);
  TROUPE_ASSERT(positions_of.size() == out.rows);
  for (uint32_t row = 0; row < out.rows; ++row) {
    TROUPE_ASSERT(tokens[row] < table.slice.rows.count);
    if (positions) TROUPE_ASSERT(positions_of[row] < positions.slice.rows.count);
    std::ranges::copy(table.values().row(tokens[row]), out.row(row).begin());
    if (positions) add(out.row(row), positions.values().row(positions_of[row]));
  }
}

void trainable_embedding::backward(std::span<const uint32_t> tokens, std::span<const uint32_t> positions_of, const_rows dout) {
  TROUPE_ASSERT(tokens.size() == dout.rows);
  TROUPE_ASSERT(positions_of.size() == dout.rows);
  for (uint32_t row = 0; row < dout.rows; ++row) {
    TROUPE_ASSERT(tokens[row] < table.slice.rows.count);
    if (positions) TROUPE_ASSERT(positions_of[row] < positions.slice.rows.count);
    add(table.gradients().row(tokens[row]), dout.row(row));
    if (positions) add(positions.gradients().row(positions_of[row]), dout.row(row));
  }
}

} // namespace troupe
