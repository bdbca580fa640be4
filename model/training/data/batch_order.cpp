#include "model/training/data/batch_order.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {

batch batch_order::empty_batch(uint32_t rows, uint32_t columns, uint32_t padding) {
  batch out;
  out.rows = rows;
  out.columns = columns;
  out.tokens.assign(uint64_t(rows) * columns, padding);
  out.targets.assign(uint64_t(rows) * columns, batch::ignored);
  out.row_lengths.assign(rows, 0);
  return out;
}

void batch_order::set_row(batch& out, uint32_t row, std::span<const uint32_t> tokens) {
  const size_t length = tokens.size() - 1;
  TROUPE_ASSERT(length >= 1 && length <= out.columns);
  const auto begin = static_cast<ptrdiff_t>(uint64_t(row) * out.columns);
  std::copy_n(tokens.begin(), length, out.tokens.begin() + begin);
  std::transform(tokens.begin() + 1, tokens.end(), out.targets.begin() + begin,
                 [](uint32_t token) { return static_cast<int32_t>(token); });
  out.row_lengths[row] = static_cast<uint32_t>(length);
}

} // namespace troupe
