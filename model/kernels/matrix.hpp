#pragma once
// Matrix products of inference, y = W x, for many rows x at once, and the layout of W that makes them fast.
//
// Determinism (docs/determinism.md): an output element is one dot product in one fixed order, whatever the
// number of rows, the slice of W, the thread or the instruction set: every output element is computed in one vector
// lane, which walks the columns from first to last.
//   float32:      y = fma(w[k], x[k], y) for k = 0, 1, ...; 16-bit weights are widened exactly.
//   int8_blocks:  within a block of 32 columns dot = sum of w value * x code, exact in int32; then
//                 y = fma(float(dot), w_scale * x_scale, y), and for formats with minimums
//                 y = fma(w_minimum, x_scaled_sum, y); blocks in order. w_scale and w_minimum are exact
//                 products of what the file holds. Q2_K, Q3_K and Q6_K have two scales in a block, and a dot for each:
//                 t = float(dot1) * w_scale1, t = fma(float(dot2), w_scale2, t), y = fma(t, x_scale, y); Q2_K has minimums
//                 too, and after either step t = fma(w_minimum, the sum of the x codes in that half, t).
// The bias is added last.
#include "model/kernels/rows.hpp"
#include "model/kernels/weight_memory.hpp"
#include "model/stored_tensor.hpp"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace troupe {

/// What a packed matrix multiplies: float32 as it is, or blocks of 32 int8 with one float32 scale and their
/// sums.
enum class operand_kind : uint8_t { float32, int8_blocks };

/// 32 quantised activations: x[i] is about scale * codes[i], codes in [-127, 127].
struct int8_block {
  float scale;                 // max|x| / 127.
  float scaled_sum;            // scale * (the codes' sum), rounded once: what minimums are multiplied with.
  int32_t negative_sum;        // -(the codes' sum): what offsets are multiplied with.
  int32_t negative_first_half; // -(the sum of the first 16 codes), for formats with a scale per 16 columns.
  int8_t codes[32];
};

/// The same of 16 rows, as tile registers read them.
struct alignas(64) int8_tile {
  static constexpr uint32_t rows = 16;
  static constexpr uint32_t worth_it = 64; // With fewer rows products of most formats take no less time.
  int8_t codes[rows][32];
  float scales[rows];
  float scaled_sums[rows];
};

/// Activations in the form that products want, prepared once and used for every matrix with that
/// operand_kind. Owns its buffers; `assign` reuses them. The quantisation of a block of 32, the same bits on
/// every instruction set:
///   largest = max|x|;  scale = largest / 127;  code = round(x * (127 / largest)), ties to even.
/// A block with largest < 2^-100 counts as zeros (its inverse might not be finite). A block with a non-finite
/// x has codes 0 and a NaN scale, so that it is never hidden by rounding. A last block shorter than 32
/// columns is padded with zeros.
class operand {
public:
  /// float32 keeps a reference to the caller's rows, which must outlive its use, unless their distance would make them
  /// push each other out of the cache: then it copies, as int8_blocks always does.
  void assign(const_rows rows, operand_kind kind);
  operand_kind kind() const { return kind_; }
  uint32_t rows() const { return rows_; }
  uint32_t columns() const { return columns_; }
  // For kernels:
  const_rows floats() const { return floats_; } // float32.
  const int8_block* blocks(uint32_t row) const { return blocks_.data() + uint64_t(row) * row_blocks_; }
  uint32_t row_blocks() const { return row_blocks_; }
  /// Where the instruction set has tile registers, and the rows are enough for them. Those that the last tile lacks are zeros.
  bool has_tiles() const { return has_tiles_; }
  const int8_tile* tiles(uint32_t row) const { return tiles_.data() + uint64_t(row / int8_tile::rows) * row_blocks_; } // [row_blocks]

private:
  operand_kind kind_ = operand_kind::float32;
  uint32_t rows_ = 0, columns_ = 0, row_blocks_ = 0;
  bool has_tiles_ = false;
  void make_tiles();
  const_rows spread(const_rows rows);
  const_rows floats_;
  std::vector<float> copy_; // Only ever grows.
  std::vector<int8_block> blocks_;
  std::vector<int8_tile> tiles_; // Only ever grows.
};

/// Which sums a packed matrix keeps, so that a wrong bit can be noticed.
enum class kept_sums : uint8_t {
  none,
  words,   // Of all its words, by strips of 64 rows: is_intact().
  columns, // And, of quantised types, of the columns of each strip: for multiply_checked(). 2.9 % more memory for Q8_0, 5.6 %
           // for Q4_0, 9.5 % for Q2_K: 2 bytes for each column of a strip.
};

/// A weight matrix (rows of W are outputs), immutable after `pack`, laid out for the kernels in groups of 16
/// rows: a vector holds the same few columns of 16 rows (model/kernels/layout.hpp). Rows beyond the last are
/// zero. Shared freely between actors and threads. Memory, in bits per weight (rows a multiple of 16, columns of 64, or of
/// 512 for Q3_K, Q6_K and IQ4_XS):
///
///   type    F32  F16  BF16  Q4_0  Q4_1  Q5_0  Q5_1  Q8_0  Q2_K   Q3_K    Q4_K   Q5_K   Q6_K    IQ4_NL  IQ4_XS
///   file    32   16   16    4.5   5     5.5   6     8.5   2.625  3.4375  4.5    5.5    6.5625  4.5     4.25
///   packed  32   16   16    4.5   5     5.5   6     8.5   2.625  3.5625  4.625  5.625  6.5625  4.5     4.3125
class packed_matrix {
public:
  /// Memory that a packed tensor takes, a multiple of 64. At least one row and one column.
  static uint64_t packed_bytes(const tensor_view& tensor, kept_sums keep = kept_sums::none);
  static uint64_t packed_bytes(const stored_tensor& tensor, kept_sums keep = kept_sums::none);
  /// Packs a tensor into `memory`: packed_bytes(tensor, keep) zeros, aligned to 64, which belong to the matrix from then on.
  /// Reads tensor.bytes once, from first to last; they are not needed afterwards. Any bit pattern in them is fine: a
  /// scale that is not finite makes its rows' outputs so.
  static std::shared_ptr<const packed_matrix> pack(const tensor_view& tensor, weight_memory memory,
                                                   kept_sums keep = kept_sums::none);
  /// The same in memory of its own.
  static std::shared_ptr<const packed_matrix> pack(const tensor_view& tensor, kept_sums keep = kept_sums::none);
  /// The same of a tensor that is read piece by piece: only some hundred KiB of it are in memory beside what is packed. Throws what its
  /// source throws. content: not null: gets a hash of the bytes that were read.
  static std::shared_ptr<const packed_matrix> pack(const stored_tensor& tensor, weight_memory memory, kept_sums keep,
                                                   uint64_t* content = nullptr);

  uint32_t rows() const { return rows_; }
  uint32_t columns() const { return columns_; }
  /// float32 for F32, F16 and BF16; int8_blocks for the quantised types.
  operand_kind wants() const;
  uint64_t bytes() const; // What a product reads.

  kept_sums keeps() const;
  /// Strips of 64 rows, and the bytes that each but the last takes; with kept_sums::none there are none.
  uint32_t strips() const;
  uint64_t strip_bytes() const;
  /// Whether all words of the strip add up to what they did when it was packed. Finds every single wrong bit, also one in
  /// the sums. True where none are kept.
  bool is_intact(uint32_t strip) const;
  bool is_intact() const; // All strips, one after the other: reads all of the matrix.
  /// All memory in which a wrong bit is to be found: codes, scales, column sums. For fault plans and tests only: packed weights
  /// must not change.
  std::span<uint8_t> all_bytes() const;

  struct layout; // Defined for the kernels in model/kernels/layout.hpp.
  ~packed_matrix();
  const layout& get() const { return *layout_; }

private:
  packed_matrix();
  static std::shared_ptr<packed_matrix> empty(const tensor_view& shape, weight_memory memory, kept_sums keep);
  void pack_rows(const tensor_view& rows, uint64_t first_row); // A multiple of 16.
  void finish();
  uint32_t rows_ = 0, columns_ = 0;
  std::unique_ptr<layout> layout_;
};

/// out[r][n] = sum_k W[n][k] * x[r][k] (+ bias[n] where bias is not empty), for all rows r of x and n of W.
/// x.kind() must be w.wants(), x.columns() == w.columns(), out.rows == x.rows(), out.columns == w.rows();
/// bias: [w.rows()]. Thread-safe: reads w and x, writes out, allocates nothing.
void multiply(const packed_matrix& w, const operand& x, std::span<const float> bias, mutable_rows out);

/// The same to the bit, and compares: true means that the result comes from the weights that were packed, multiplied right.
/// Of a matrix packed without kept_sums::columns it compares nothing. `scratch` is resized as needed; with the right size it
/// allocates nothing.
///
/// For every strip of 64 rows of W, and for every row of x (algorithm-based fault tolerance, Huang and Abraham 1984):
///   the strip's int32 dots, all 64 rows and all blocks, are added up modulo 2^32, as they come out of the multiplier;
///   so are the products of the strip's column sums with the codes of x; the two are equal, exactly.
/// A wrong bit in one dot changes the first sum by a power of 2, and one in a code of the weights by a power of 2 times an
/// activation's code: never by a multiple of 2^32, unless that code is 0, and then the result is right all the same. And the
/// strip's scales and minimums are compared with the sum of their words. Not seen: two errors of one strip and row that
/// cancel, and what happens to x before or to float32 sums after.
///
/// Plain types have no exact sums of products: of them the strip's words are compared, just before they are multiplied. So a
/// wrong bit of a weight is found, one of the arithmetic is not.
bool multiply_checked(const packed_matrix& w, const operand& x, std::span<const float> bias, mutable_rows out,
                      std::vector<uint32_t>& scratch);

/// The same as `multiply` in plain C++, straight from the file's tensor, for tests. float32: sums in float64, rounded at
/// the end. int8_blocks: the scheme that `multiply` follows, step by step, so its result has the same bits.
void multiply_reference(const tensor_view& w, const_rows x, operand_kind kind, std::span<const float> bias,
                        mutable_rows out);

} // namespace troupe
