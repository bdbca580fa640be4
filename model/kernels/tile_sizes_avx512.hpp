// Sizes of the tiles that keep their sums in the registers of AVX-512.
#pragma once
#include <cstdint>
#include <utility>

namespace troupe::TROUPE_ISA {
// 32 registers: a tile of int8 needs 2 per group and row, of float 1, and some for weights, activations and
// scales.
constexpr int int8_groups_few = 1, int8_groups = 2;
constexpr uint32_t int8_rows_few = 8;
using int8_row_sizes_few = std::integer_sequence<int, 1, 2, 4, 6, 8>;
constexpr uint32_t int8_rows_unpacked = 12; // Up to here unpacking for each tile of rows costs less.
using int8_row_sizes = std::integer_sequence<int, 2, 4, 6>;
constexpr int float_groups_few = 2, float_groups = 2;
constexpr uint32_t float_rows_few = 8;
using float_row_sizes_few = std::integer_sequence<int, 1, 2, 4, 8>;
constexpr uint32_t float_rows_widened = 24; // The same for 16-bit weights.
using float_row_sizes = std::integer_sequence<int, 4, 8, 12>;
constexpr int units_at_once = 4;
} // namespace troupe::TROUPE_ISA
