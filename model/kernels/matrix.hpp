#pragma once
// Matrix products of inference, y = W x, for many rows x at once, and the layout of W that makes them fast.
//
// Determinism (docs/determinism.md): an output element is one dot product in one fixed order, whatever the number of
// rows, the slice of W, the thread or the instruction set: every output element lives in one vector lane, which walks
// the columns from first to last. Int8 products are exact in int32 within a block of columns; the float sum of the
// blocks is a chain of fused multiply-adds in block order.
#include "model/tensor.hpp"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// Row-major float32 activations that somebody else owns: row r starts at data + r * stride.
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

/// What a packed matrix multiplies: float32 as it is, or blocks of 32 int8 with one float32 scale and their sum.
enum class operand_kind : uint8_t { float32, int8_blocks };

/// Activations in the form that products want, prepared once and used for every matrix with that operand_kind.
/// Owns its buffers; `assign` reuses them. int8 blocks: scale = max|x| / 127 of the block, q = round(x / scale), ties to
/// even. A non-finite x makes its block's scale NaN, so that poison is never hidden by rounding.
/// A last block shorter than 32 columns is padded with zeros.
class operand {
public:
  void assign(const_rows rows, operand_kind kind);
  operand_kind kind() const { return kind_; }
  uint32_t rows() const { return rows_; }
  uint32_t columns() const { return columns_; }
  // For kernels:
  const_rows floats() const { return floats_; }              // float32: the caller's rows, not copied.
  const int8_t* codes(uint32_t row) const { return codes_.data() + uint64_t(row) * blocks_ * 32; }
  const float* scales(uint32_t row) const { return scales_.data() + uint64_t(row) * blocks_; }
  const int32_t* sums(uint32_t row) const { return sums_.data() + uint64_t(row) * blocks_; }
  uint32_t blocks() const { return blocks_; }

private:
  operand_kind kind_ = operand_kind::float32;
  uint32_t rows_ = 0, columns_ = 0, blocks_ = 0;
  const_rows floats_;
  std::vector<int8_t> codes_;
  std::vector<float> scales_;
  std::vector<int32_t> sums_;
};

/// A weight matrix (rows of W are outputs), immutable after `pack`, laid out for the kernels in groups of 16 rows: a vector
/// holds the same few columns of 16 rows. Rows beyond the last are zero. Shared freely between actors and threads.
class packed_matrix {
public:
  /// Packs a tensor, or several stacked on top of each other (they must agree in columns; different types are
  /// allowed and kept apart inside).
  static std::shared_ptr<const packed_matrix> pack(const tensor_view& tensor);

  uint32_t rows() const { return rows_; }
  uint32_t columns() const { return columns_; }
  operand_kind wants() const;
  uint64_t bytes() const; // Memory held.

  struct layout; // Defined by the kernels.
  ~packed_matrix();
  const layout& get() const { return *layout_; }

private:
  packed_matrix();
  uint32_t rows_ = 0, columns_ = 0;
  std::unique_ptr<layout> layout_;
};

/// out[r][n] = sum_k W[n][k] * x[r][k] (+ bias[n] where bias is not empty), for all rows r of x and n of W.
/// x.kind() must be w.wants(), x.columns() == w.columns(), out.rows == x.rows(), out.columns == w.rows(); bias: [w.rows()].
/// Thread-safe: reads w and x, writes out, allocates nothing.
void multiply(const packed_matrix& w, const operand& x, std::span<const float> bias, mutable_rows out);

/// The same in plain C++, straight from the file's tensor, for tests: float64 sums, or the int8 scheme above when
/// `kind` says so.
void multiply_reference(const tensor_view& w, const_rows x, operand_kind kind, std::span<const float> bias,
                        mutable_rows out);

} // namespace troupe
