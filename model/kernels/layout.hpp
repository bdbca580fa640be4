#pragma once
// The memory layout of packed matrices: what packing writes and the kernels read.
//
// Rows are in groups of 16, one per lane. A group of a plain type is [columns][16] elements. A group of a quantised type is
// two arrays, kept apart so that codes are aligned and both are read in one stream each: first the scales of all groups, then
// the codes of all groups. So a kernel that fetches codes ahead goes on, at the end, to the scales of the next matrix in memory,
// if no column sums are in between, and its product begins with those: 1.2 times as fast as the other way round for matrices
// of 64 rows (Zen 5).
//
// Codes, per block of 32 columns, in vectors of 64 bytes = [16 rows][4 columns]. "Word j" is columns
// 4j..4j+3, j < 8.
//   8 bits: vectors of words 0..7.
//   4 bits: vectors 0..3; vector v has word v in its low nibbles, word v + 4 in its high ones.
//   5 bits: those four, then one vector whose bit j is the fifth bit of word j.
//   6 bits: those four, then two vectors; bits 2j, 2j+1 of the first are the upper bits of word j, of the
//   second of word
//           j + 4, j < 4.
//
// Scales, per block of 32 columns (half*) or of 256 (super*), binary16 as f16:
//   half:           f16 d[16].
//   half_minimum:   f16 d[16], f16 m[16].
//   super_minimum:  f16 d[16], f16 -dmin[16], then 8 times: u8 scale[16], u8 minimum[16].
//   super_signed:   f16 d[16], then 16 times i8 scale[16].
#include "model/kernels/blocks.hpp"
#include "model/kernels/matrix.hpp"
#include "model/kernels/weight_memory.hpp"

namespace troupe {

constexpr uint32_t group_rows = 16;

/// Groups of a strip: 64 rows have one set of sums.
constexpr uint32_t strip_groups = 4;

/// What the words of a strip add up to, modulo 2^32.
struct strip_sums {
  uint32_t codes, scales, columns;
  bool operator==(const strip_sums&) const = default;
};

/// Of 32 columns of a group.
constexpr uint64_t packed_code_bytes(uint32_t code_bits) { return uint64_t(code_bits) * 64; }

/// Columns that one record of scales covers.
constexpr uint32_t scale_columns(scale_kind kind) {
  return kind == scale_kind::half || kind == scale_kind::half_minimum ? 32 : 256;
}

/// Of one record of scales of a group.
constexpr uint64_t packed_scale_bytes(scale_kind kind) {
  switch (kind) {
  case scale_kind::half:
    return 32;
  case scale_kind::half_minimum:
    return 64;
  case scale_kind::super_minimum:
    return 64 + 8 * 32;
  case scale_kind::super_signed:
    return 32 + 16 * 16;
  }
  return 0;
}

struct packed_matrix::layout {
  tensor_type type = tensor_type::f32;
  uint32_t groups = 0;
  uint64_t scale_bytes = 0; // Of a group, rounded up to 64; 0 for plain types.
  uint64_t code_bytes = 0;  // Of a group; of plain types: the elements.
  weight_memory memory;     // The scales, the codes, then the column sums.
  const uint8_t* scales(uint32_t group) const { return memory.get() + group * scale_bytes; }
  const uint8_t* codes(uint32_t group) const { return memory.get() + groups * scale_bytes + group * code_bytes; }
  uint64_t bytes() const { return groups * (scale_bytes + code_bytes); }
  // Kept so that wrong bits are found. Of products only, else null: the sums over a strip's rows, those included that do
  // not exist, of code - offset: [strips][columns].
  kept_sums keep = kept_sums::none;
  int16_t* column_sums = nullptr;
  std::vector<strip_sums> strips; // [strips] or empty.
};

} // namespace troupe
