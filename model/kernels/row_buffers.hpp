#pragma once
// Rows of float32 in buffers that are kept and only ever grow; parts of rows; transposes.
#include "model/error.hpp"
#include "model/kernels/rows.hpp"
#include <cstddef>
#include <new>
#include <span>
#include <vector>

namespace troupe {

/// Memory that begins a line of the caches. Vectors of the C library's malloc begin 16 bytes into one, and then each vector of 64 bytes that
/// a kernel reads lies in two lines: a tile of a general product is a tenth slower.
template <class T> struct line_allocator {
  using value_type = T;
  static constexpr std::align_val_t line{64};
  line_allocator() = default;
  template <class U> line_allocator(const line_allocator<U>&) {}
  T* allocate(size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), line)); }
  void deallocate(T* data, size_t) { ::operator delete(data, line); }
  bool operator==(const line_allocator&) const = default;
};
using row_buffer = std::vector<float, line_allocator<float>>;

/// [rows, columns] at the start of `buffer`, made larger where it is too small; the content is left over from earlier use. Valid until
/// the buffer changes.
inline mutable_rows rows_of_buffer(row_buffer& buffer, uint32_t rows, uint32_t columns) {
  if (buffer.size() < uint64_t(rows) * columns) buffer.resize(uint64_t(rows) * columns);
  return {buffer.data(), rows, columns, columns};
}
/// Those that were written there.
inline const_rows rows_of_buffer(const row_buffer& buffer, uint32_t rows, uint32_t columns) {
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
