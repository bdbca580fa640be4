#pragma once
// Rows of float32 in buffers that are kept and only ever grow; parts of rows; transposes.
#include "model/error.hpp"
#include "model/kernels/rows.hpp"
#include <span>
#include <vector>

namespace troupe {

/// [rows, columns] at the start of `buffer`, made larger where it is too small; the content is left over from earlier use. Valid until
/// the buffer changes.
inline mutable_rows rows_of_buffer(std::vector<float>& buffer, uint32_t rows, uint32_t columns) {
  if (buffer.size() < uint64_t(rows) * columns) buffer.resize(uint64_t(rows) * columns);
  return {buffer.data(), rows, columns, columns};
}
/// Those that were written there.
inline const_rows rows_of_buffer(const std::vector<float>& buffer, uint32_t rows, uint32_t columns) {
  TROUPE_ASSERT(buffer.size() >= uint64_t(rows) * columns);
  return {buffer.data(), rows, columns, columns};
}

template <class Rows> Rows some_rows(Rows all, uint32_t first, uint32_t count) {
  return {all.data + first * all.stride, count, all.columns, all.stride};
}
template <class Rows> Rows some_columns(Rows all, uint32_t first, uint32_t count) {
  return {all.data + first, all.rows, count, all.stride};
}

/// to [columns of from, rows of from] = transpose of `from`.
void transpose(const_rows from, mutable_rows to);

} // namespace troupe
