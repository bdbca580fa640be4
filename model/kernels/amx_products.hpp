// Products of int8 with the tile registers of AMX: 16 rows of activations with 16 rows of weights at a time. matrix_kernels.hpp comes
// first.
//
// A tile register holds 16 rows of 64 bytes. For a block of 32 columns one instruction makes all 256 dots: exact sums of products, as
// those of VNNI are. They go through memory to the vectors, where scales are applied as in multiply_int8_tile: each sum sees the
// same operations in the same order, so the results are the same bits.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include "model/kernels/weight_blocks.hpp"

namespace troupe::TROUPE_ISA {

constexpr int rows_in_registers = int8_tile::rows;

/// What LDTILECFG reads.
struct alignas(64) tile_shapes {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {}; // Of a row of each register,
  uint8_t rows[16] = {};   // and how many.
};

/// A unit: what has one scale, a block of 32 columns or a part of it. Four are on their way at once, because the dots of one take
/// long: registers 0 to 3 are their dots, [16 activation rows][16 weight rows]; 4 and 5 in turn the activations' codes,
/// [16 rows][columns]; 6 and 7 the weights', [columns / 4][16 rows][4 columns], as layout.hpp has them.
constexpr int units_of_registers = 4;

template <int Parts>
constexpr tile_shapes shapes_of_product() {
  tile_shapes shapes;
  for (int i = 0; i < 4; ++i) shapes.bytes[i] = 64, shapes.rows[i] = 16;
  for (int i = 4; i < 6; ++i) shapes.bytes[i] = 32 / Parts, shapes.rows[i] = 16;
  for (int i = 6; i < 8; ++i) shapes.bytes[i] = 64, shapes.rows[i] = 8 / Parts;
  return shapes;
}

/// x: codes of the activations, 32 bytes from row to row. The numbers of registers must be written out.
template <int Unit>
TROUPE_INLINE void multiply_unit(const int8_t* x, const uint8_t* w) {
  if constexpr (Unit % 2 == 0) {
    _tile_loadd(4, x, 32);
    _tile_loadd(6, w, 64);
  } else {
    _tile_loadd(5, x, 32);
    _tile_loadd(7, w, 64);
  }
  if constexpr (Unit == 0) {
    _tile_zero(0);
    _tile_dpbssd(0, 4, 6);
  } else if constexpr (Unit == 1) {
    _tile_zero(1);
    _tile_dpbssd(1, 5, 7);
  } else if constexpr (Unit == 2) {
    _tile_zero(2);
    _tile_dpbssd(2, 4, 6);
  } else {
    _tile_zero(3);
    _tile_dpbssd(3, 5, 7);
  }
}

template <int Unit>
TROUPE_INLINE void store_dots(int32_t* to) {
  if constexpr (Unit == 0) _tile_stored(0, to, 64);
  else if constexpr (Unit == 1) _tile_stored(1, to, 64);
  else if constexpr (Unit == 2) _tile_stored(2, to, 64);
  else _tile_stored(3, to, 64);
}

/// The weights are unpacked, without the offset. x: the tiles of the rows, from block `t.first` on.
template <class Format, class Check>
void multiply_int8_registers(const tile<1, rows_in_registers, int8_block>& task, const int8_tile* x_tiles) {
  using weights = unpacked_blocks<Format>;
  const tile<1, rows_in_registers, int8_block> t = task;
  constexpr int parts = parts_of<Format>;
  constexpr uint32_t blocks_at_once = units_of_registers / parts;
  alignas(64) int32_t dots[2][units_of_registers][rows_in_registers * group_rows]; // In turn: some are written while others are read.
  alignas(64) int32_t totals[rows_in_registers * group_rows];
  if constexpr (Check::is_on) std::memset(totals, 0, sizeof totals);
  tile_sums<1, rows_in_registers> sums;
  load_sums(t, sums);
  const uint8_t* ahead = t.ahead;
  const auto multiply = [&](uint32_t first, auto& to) TROUPE_LAMBDA {
    repeat<units_of_registers>([&](auto unit) TROUPE_LAMBDA {
      constexpr int part = unit % parts, columns = 32 / parts;
      const uint32_t block = first + unit / parts;
      if (block >= t.last) return;
      const uint8_t* w = t.codes[0] + block * weights::code_bytes + part * columns / 4 * 64;
      multiply_unit<unit>(x_tiles[block].codes[0] + part * columns, w);
    });
    repeat<units_of_registers>([&](auto unit) TROUPE_LAMBDA {
      if (first + unit / parts < t.last) store_dots<unit>(to[unit]);
    });
  };
  const auto scale = [&](uint32_t block, const int32_t (*from)[rows_in_registers * group_rows]) TROUPE_LAMBDA {
    f32x16 scales[parts];
    [[maybe_unused]] f32x16 minimums[parts];
    repeat<parts>([&](auto part) TROUPE_LAMBDA {
      scales[part] = weights::template scales<part>(t.scales[0], block);
      if constexpr (has_minimum(Format::scaling)) minimums[part] = weights::template minimums<part>(t.scales[0], block);
    });
    repeat<rows_in_registers>([&](auto r) TROUPE_LAMBDA {
      const f32x16 x_scale = all_lanes(x_tiles[block].scales[r]);
      f32x16 dot[parts];
      repeat<parts>([&](auto part) TROUPE_LAMBDA {
        i32x16 exact = bits_of(load(reinterpret_cast<const float*>(from[part] + r * group_rows)));
        if constexpr (Check::is_on) {
          Check::see(exact, t.column[0], uint32_t(r), block);
          auto* total = reinterpret_cast<float*>(totals + r * group_rows); // Only carried.
          store(total, float_of_bits(bits_of(load(total)) + exact));
        }
        dot[part] = to_float(exact);
      });
      f32x16& sum = sums.v[0][r];
      if constexpr (parts == 1) {
        sum = fma(dot[0], scales[0] * x_scale, sum);
        if constexpr (has_minimum(Format::scaling)) sum = fma(minimums[0], all_lanes(t.x[r][block].scaled_sum), sum);
      } else if constexpr (has_minimum(Format::scaling)) {
        f32x16 both = fma(minimums[0], to_float(negative_sum<Format, 0>(t.x[r][block])), dot[0] * scales[0]);
        both = fma(minimums[1], to_float(negative_sum<Format, 1>(t.x[r][block])), fma(dot[1], scales[1], both));
        sum = fma(both, x_scale, sum);
      } else {
        sum = fma(fma(dot[1], scales[1], dot[0] * scales[0]), x_scale, sum);
      }
    });
  };
  asm volatile("" : : : "memory"); // The compiler does not know that tile registers read memory.
  multiply(t.first, dots[0]);
  bool turn = false;
  for (uint32_t first = t.first; first < t.last; first += blocks_at_once, turn = !turn) {
    if (first + blocks_at_once < t.last) multiply(first + blocks_at_once, dots[!turn]);
    for (uint32_t i = 0; i < blocks_at_once && first + i < t.last; ++i) {
      fetch_share(ahead, t.ahead_lines);
      scale(first + i, dots[turn] + i * parts);
    }
  }
  if constexpr (Check::is_on)
    repeat<rows_in_registers>([&](auto r) TROUPE_LAMBDA {
      t.dot_totals[r] += uint32_t(sum_of_lanes(bits_of(load(reinterpret_cast<const float*>(totals + r * group_rows)))));
    });
  store_sums(t, sums);
}

template <class Format, class Check>
uint32_t multiply_in_tile_registers(const product& task, group_range groups) {
  const uint32_t row_blocks = task.x.row_blocks();
  if (task.x.tiles().empty()) return 0;
  static constexpr tile_shapes shapes = shapes_of_product<parts_of<Format>>();
  _tile_loadconfig(&shapes);
  groups.last_row = task.x.rows() / rows_in_registers * rows_in_registers;
  multiply_unpacked<1, Format, true>(
      task, groups, row_blocks, std::integer_sequence<int, rows_in_registers>{}, [&](const auto& t, auto) {
        const auto at = uint64_t(t.x[0] - task.x.blocks(0)); // The panel's first block of the first row.
        const uint64_t tile_of_rows = at / row_blocks / rows_in_registers;
        multiply_int8_registers<Format, Check>(t, task.x.tiles().data() + tile_of_rows * row_blocks + at % row_blocks);
      });
  _tile_release(); // Else each change of threads would save the registers.
  return groups.last_row;
}

/// As limits_kernels.hpp has it.
uint64_t multiply_int8_only_in_registers(uint64_t operations) {
  constexpr uint64_t each = 4 * 16 * 16 * 64 * 2;
  static constexpr tile_shapes shapes = [] {
    tile_shapes all;
    for (int i = 0; i < 8; ++i) all.bytes[i] = 64, all.rows[i] = 16;
    return all;
  }();
  const uint64_t rounds = operations / each + 1;
  alignas(64) static const int8_t ones[16 * 64] = {1};
  _tile_loadconfig(&shapes);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, ones, 64);
  _tile_loadd(5, ones, 64);
  for (uint64_t i = 0; i < rounds; ++i) { // They are volatile: nothing is left out.
    _tile_dpbssd(0, 4, 5);
    _tile_dpbssd(1, 4, 5);
    _tile_dpbssd(2, 4, 5);
    _tile_dpbssd(3, 4, 5);
  }
  _tile_release();
  return rounds * each;
}

} // namespace troupe::TROUPE_ISA
