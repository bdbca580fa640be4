// Checks and dispatch of the matrix products; the arithmetic is in matrix_kernels.hpp.
#include "model/kernels/matrix.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"
#include <algorithm>
#include <cstring>

namespace troupe {
namespace {

/// Whether the same column of a tile's rows falls into one or two sets of the nearest cache, which hold 8 lines each.
bool are_crowded(const_rows rows) { return rows.rows > 4 && rows.stride * sizeof(float) % 2048 == 0; }

void check_shapes(const packed_matrix& w, const operand& x, std::span<const float> bias, const mutable_rows& out) {
  TROUPE_ASSERT(x.kind() == w.wants());
  TROUPE_ASSERT(x.columns() == w.columns());
  TROUPE_ASSERT(out.rows == x.rows());
  TROUPE_ASSERT(out.columns == w.rows());
  TROUPE_ASSERT(out.stride >= out.columns);
  TROUPE_ASSERT(bias.empty() || bias.size() == w.rows());
}

} // namespace

/// Copies rows to where they are a cache line further apart.
const_rows operand::spread(const_rows rows) {
  const uint64_t stride = rows.columns + 16;
  if (copy_.size() < rows.rows * stride) copy_.resize(rows.rows * stride);
  for (uint32_t row = 0; row < rows.rows; ++row)
    std::ranges::copy(rows.row(row), copy_.begin() + ptrdiff_t(row * stride));
  return {copy_.data(), rows.rows, rows.columns, stride};
}

void operand::make_tiles() {
  constexpr uint32_t each = int8_tile::rows;
  const uint64_t count = uint64_t((rows_ + each - 1) / each) * row_blocks_;
  if (tiles_.size() < count) tiles_.resize(count);
  for (uint32_t first = 0; first < rows_; first += each) {
    int8_tile* tiles = tiles_.data() + uint64_t(first / each) * row_blocks_;
    const uint32_t some = std::min(each, rows_ - first);
    if (some < each) std::fill_n(tiles, row_blocks_, int8_tile{});
    for (uint32_t r = 0; r < some; ++r) {
      const int8_block* from = blocks(first + r);
      for (uint32_t block = 0; block < row_blocks_; ++block) {
        std::memcpy(tiles[block].codes[r], from[block].codes, sizeof from[block].codes);
        tiles[block].scales[r] = from[block].scale;
        tiles[block].scaled_sums[r] = from[block].scaled_sum;
      }
    }
  }
  has_tiles_ = true;
}

void operand::assign(const_rows rows, operand_kind kind) {
  TROUPE_ASSERT(rows.stride >= rows.columns);
  kind_ = kind;
  rows_ = rows.rows;
  columns_ = rows.columns;
  floats_ = {};
  row_blocks_ = 0;
  has_tiles_ = false;
  if (kind == operand_kind::float32) {
    floats_ = are_crowded(rows) ? spread(rows) : rows;
    return;
  }
  row_blocks_ = (columns_ + 31) / 32;
  blocks_.resize(uint64_t(rows_) * row_blocks_);
  const kernel_table& kernels = current_kernels();
  for (uint32_t row = 0; row < rows_; ++row)
    kernels.quantize_row(rows.data + row * rows.stride, columns_,
                         blocks_.data() + uint64_t(row) * row_blocks_);
  if (kernels.has_tile_registers && rows_ >= int8_tile::worth_it) make_tiles();
}

void multiply(const packed_matrix& w, const operand& x, std::span<const float> bias, mutable_rows out) {
  check_shapes(w, x, bias, out);
  if (out.rows == 0) return;
  current_kernels().multiply({w, x, bias.empty() ? nullptr : bias.data(), out});
}

bool multiply_checked(const packed_matrix& w, const operand& x, std::span<const float> bias, mutable_rows out,
                      std::vector<uint32_t>& scratch) {
  if (w.keeps() != kept_sums::columns) {
    multiply(w, x, bias, out);
    return true;
  }
  check_shapes(w, x, bias, out);
  if (out.rows == 0) return true;
  if (scratch.size() < out.rows) scratch.resize(out.rows);
  return current_kernels().multiply_checked({w, x, bias.empty() ? nullptr : bias.data(), out}, scratch.data());
}

} // namespace troupe
