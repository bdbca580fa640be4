#pragma once
// Activations as kernels see them: rows of float32.
#include <cstdint>
#include <span>

namespace troupe {

/// Row-major float32 activations, not owned: row r starts at data + r * stride.
struct const_rows {
  const float* data = nullptr;
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint64_t stride = 0; // In floats; >= columns.
  std::span<const float> row(uint32_t r) const { return {data + r * stride, columns}; }
};
struct mutable_rows {
  float* data = nullptr;
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint64_t stride = 0;
  std::span<float> row(uint32_t r) const { return {data + r * stride, columns}; }
  operator const_rows() const { return {data, rows, columns, stride}; }
};

/// Query row r sees positions [0, first + r * step): with step 1 each row one more than the row before it, as when a
/// sequence's next tokens attend; with step 0 all the same.
struct visible_positions {
  visible_positions(uint32_t of_first, uint32_t more_each = 0) : first(of_first), step(more_each) {}
  uint32_t first, step;
  uint32_t of_row(uint32_t row) const { return first + row * step; }
};

/// What is added to the scores, by distance: for query row r of head h and the key at position p
/// of_distance_0[h * stride + p - (first_position + r)]. 64 more values than the largest distance needs must exist. Null: nothing.
struct score_bias {
  const float* of_distance_0 = nullptr;
  uint64_t stride = 0;
  uint32_t first_position = 0; // Of query row 0.
};

} // namespace troupe
