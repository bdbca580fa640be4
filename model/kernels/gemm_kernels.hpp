// General products on the vectors of one instruction set: matrix_kernels.hpp comes first.
//
// Blocks of T, all of about the same length, so that gemm_lanes columns of a panel of B stay in the nearest cache while all rows of A
// pass by. Of each block A is copied to where a tile reads it in one stream, where it is not read so anyway and enough columns of B make
// it worth its while. Sums rest in C between the blocks: each element sees the same operations in the same order, however it is cut.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

constexpr uint32_t gemm_block = 320;
constexpr uint32_t gemm_rows = []<int... Sizes>(std::integer_sequence<int, Sizes...>) {
  return uint32_t(std::max({Sizes...}));
}(float_row_sizes{});
constexpr uint32_t gemm_lanes = float_groups * 16;
static_assert(gemm_panels::width % gemm_lanes == 0);

/// The rows of A that a tile takes: either one after the other in memory (columns contiguous), or side by side.
template <int Rows, bool SideBySide>
struct gemm_tile_rows {
  const float* first;
  uint64_t step; // From row to row, or from column to column when side by side.
  TROUPE_INLINE f32x16 get(int row, uint64_t t) const {
    return all_lanes(SideBySide ? first[t * step + uint64_t(row)] : first[uint64_t(row) * step + t]);
  }
};

/// One tile: Rows of A by Groups of 16 columns of a panel, over `length` of T. `lanes`: columns of the last group that C has.
template <int Groups, int Rows, bool SideBySide>
void gemm_tile(gemm_tile_rows<Rows, SideBySide> a, const float* b, uint32_t length, float* c, uint64_t c_stride, uint32_t lanes,
               bool add) {
  f32x16 sums[Groups][Rows];
  const bool whole = lanes == 16;
  repeat<Groups>([&](auto g) TROUPE_LAMBDA {
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      const float* from = c + uint64_t(r) * c_stride + 16 * g;
      sums[g][r] = !add                           ? zero_floats()
                   : g + 1 < Groups || whole      ? load(from)
                                                  : load_first(from, lanes);
    });
  });
  for (uint32_t t = 0; t < length; ++t, b += gemm_panels::width) {
    f32x16 column[Groups];
    repeat<Groups>([&](auto g) TROUPE_LAMBDA { column[g] = load(b + 16 * g); });
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      const f32x16 x = a.get(r, t);
      repeat<Groups>([&](auto g) TROUPE_LAMBDA { sums[g][r] = fma(column[g], x, sums[g][r]); });
    });
  }
  repeat<Groups>([&](auto g) TROUPE_LAMBDA {
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      float* to = c + uint64_t(r) * c_stride + 16 * g;
      if (g + 1 < Groups || whole)
        store(to, sums[g][r]);
      else
        store_first(to, sums[g][r], lanes);
    });
  });
}

/// The rows of C from `row` on, as many as one tile takes, in tiles of fewer rows where fewer are left.
template <int Groups, bool SideBySide, int Rows = int(gemm_rows)>
void gemm_rows_of_panel(const float* a, uint64_t a_step, uint64_t a_row_step, const float* b, uint32_t length, float* c,
                        uint64_t c_stride, uint32_t rows, uint32_t lanes, bool add) {
  while (rows >= uint32_t(Rows)) {
    for (uint32_t r = Rows; r < std::min<uint32_t>(rows, 2 * Rows); ++r) // The next tile's sums.
      for (int g = 0; g < Groups; ++g) __builtin_prefetch(c + r * c_stride + 16 * g, 1);
    gemm_tile<Groups, Rows, SideBySide>({a, a_step}, b, length, c, c_stride, lanes, add);
    a += Rows * a_row_step;
    c += Rows * c_stride;
    rows -= Rows;
  }
  if constexpr (Rows > 1) {
    constexpr int fewer = Rows > 4 ? (Rows - 1) / 4 * 4 : Rows / 2; // 12, 8, 4, 2, 1 or 6, 4, 2, 1.
    if (rows > 0) gemm_rows_of_panel<Groups, SideBySide, fewer>(a, a_step, a_row_step, b, length, c, c_stride, rows, lanes, add);
  }
}

/// Columns [first, first + length) of `rows` rows of A, to [length][gemm_rows].
template <class Rows> inline void copy_tile(const gemm_operand& a, uint32_t row, Rows rows, uint32_t first, uint32_t length, float* to) {
  const float* from = a.data + row * a.row_step + first * a.column_step;
  if (a.row_step == 1) {
    for (uint32_t t = 0; t < length; ++t, from += a.column_step, to += gemm_rows)
      for (uint32_t r = 0; r < rows; ++r) to[r] = from[r];
  } else {
    for (uint32_t t = 0; t < length; ++t, ++from, to += gemm_rows)
      for (uint32_t r = 0; r < rows; ++r) to[r] = from[r * a.row_step];
  }
}

/// Copies columns [first, first + length) of A to [whole tiles of rows][length][gemm_rows].
inline void copy_block(const gemm_operand& a, uint32_t first, uint32_t length, float* to) {
  for (uint32_t tile = 0; tile < a.rows; tile += gemm_rows, to += uint64_t(length) * gemm_rows) {
    if (a.rows - tile >= gemm_rows) copy_tile(a, tile, std::integral_constant<uint32_t, gemm_rows>(), first, length, to);
    else copy_tile(a, tile, a.rows - tile, first, length, to);
  }
}

/// gemm_lanes columns of a panel, or those that there are, for all rows: `copy` is the copied block of A, or null.
template <int Groups>
void gemm_panel(const gemm_task& task, const float* copy, uint32_t first, uint32_t length, const float* b, uint32_t column,
                uint32_t lanes, bool add) {
  float* c = task.c.data + column;
  if (copy != nullptr) {
    for (uint32_t row = 0; row < task.a.rows; row += gemm_rows, copy += uint64_t(length) * gemm_rows)
      gemm_rows_of_panel<Groups, true>(copy, gemm_rows, 1, b, length, c + row * task.c.stride, task.c.stride,
                                       std::min(gemm_rows, task.a.rows - row), lanes, add);
  } else if (task.a.row_step == 1) {
    gemm_rows_of_panel<Groups, true>(task.a.data + first * task.a.column_step, task.a.column_step, 1, b, length, c,
                                     task.c.stride, task.a.rows, lanes, add);
  } else {
    gemm_rows_of_panel<Groups, false>(task.a.data + first, task.a.row_step, task.a.row_step, b, length, c,
                                      task.c.stride, task.a.rows, lanes, add);
  }
}

void gemm(const gemm_task& task) {
  const uint32_t length = task.a.columns, columns = task.c.columns;
  // Rows one after the other are read where they are, unless they fall into few sets of the nearest cache.
  const bool is_scattered = task.a.row_step == 1 || task.a.row_step % 512 == 0;
  const bool copies = columns >= 4 * gemm_lanes && is_scattered;
  const uint64_t copied_rows = (task.a.rows + gemm_rows - 1) / gemm_rows * gemm_rows;
  if (copies && task.scratch.size() < gemm_block * copied_rows) task.scratch.resize(gemm_block * copied_rows);
  float* copy = copies ? task.scratch.data() : nullptr;
  if (length == 0 && !task.add)
    for (uint32_t row = 0; row < task.c.rows; ++row) std::fill_n(task.c.data + row * task.c.stride, columns, 0.0f);
  const uint32_t blocks = (length + gemm_block - 1) / gemm_block, block_length = blocks > 0 ? (length + blocks - 1) / blocks : 0;
  for (uint32_t first = 0; first < length; first += block_length) {
    const uint32_t block = std::min(block_length, length - first);
    if (copies) copy_block(task.a, first, block, copy);
    const bool add = task.add || first > 0;
    for (uint32_t column = 0; column < columns; column += gemm_lanes) {
      constexpr uint32_t panel = gemm_panels::width;
      const float* b = task.b.data + column / panel * task.b.panel_step + uint64_t(first) * panel + column % panel;
      const uint32_t width = std::min(gemm_lanes, columns - column);
      const uint32_t lanes = (width - 1) % 16 + 1;
      with_size<1, float_groups>((width + 15) / 16, [&](auto groups) {
        gemm_panel<groups>(task, copy, first, block, b, column, lanes, add);
      });
    }
  }
}

} // namespace troupe::TROUPE_ISA
