// Products of int8 with the tile registers of AMX: 16 or 32 rows of activations with 32 rows of weights at a time. matrix_kernels.hpp
// comes first.
//
// A tile register holds 16 rows of 64 bytes. For a block of 32 columns one instruction makes 256 dots: exact sums of products, as those
// of VNNI are. They go through memory to the vectors, where scales are applied as in multiply_int8_tile: each sum sees the same
// operations in the same order, so the results are the same bits.
//
// What takes time: while tile registers are in use, only one of the two units that multiply vectors works (Sapphire Rapids), so of Q8_0
// a multiplication and a multiplication with addition for each 16 dots take 32 cycles per 16 x 16 x 32 products, and loads and stores
// nearly as long. So operands in registers are used for two products each; sums, too many for registers, are loaded and stored once
// for a batch; and while the vectors work on the dots of one batch, the registers make those of the next.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include "model/kernels/weight_blocks.hpp"
#include <algorithm>
#include <cstring>

namespace troupe::TROUPE_ISA {

/// What LDTILECFG reads.
struct alignas(64) tile_shapes {
  uint8_t palette = 1, start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t bytes[16] = {}; // Of a row of each register,
  uint8_t rows[16] = {};   // and how many.
};

/// Registers 0 to 3 are dots, [16 activation rows][16 weight rows], see batch_of_dots; 4 and 5 the codes of 16 activation rows
/// each, [16 rows][columns]; 6 and 7 those of 16 weight rows each, [columns / 4][16 rows][4 columns], as layout.hpp has them.
constexpr int register_rows = int8_tile::rows, register_groups = 2;

template <int Parts>
constexpr tile_shapes shapes_of_product() {
  tile_shapes shapes;
  for (int i = 0; i < 4; ++i) shapes.bytes[i] = 64, shapes.rows[i] = 16;
  for (int i = 4; i < 6; ++i) shapes.bytes[i] = 32 / Parts, shapes.rows[i] = 16;
  for (int i = 6; i < 8; ++i) shapes.bytes[i] = 64, shapes.rows[i] = 8 / Parts;
  return shapes;
}

/// A unit: what has one scale, a block of 32 columns or a part of it. So many of them make a batch.
constexpr int units_of_batch = 2;

/// Dots are added to this number, the bits of 1.5 * 2^23 as float32: less than 2^22 of either sign, they are its last bits then, so
/// that what makes an integer a float is a subtraction: the processor has a second unit for those, none for conversions, while tile
/// registers are in use. The dots of a batch are added up, and each is the difference of two: exact, as it all stays in 24 bits.
/// Not where dots are checked: two neighbours that are wrong by a bit of the sum between them would have the right total.
constexpr int32_t bits_of_start = 0x4b400000;
static_assert(units_of_batch * 32 * 127 * 128 < 1 << 22);
alignas(64) constexpr int32_t start_of_sums[group_rows] = {
    bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start,
    bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start, bits_of_start};

/// The dots of a batch, or the sums of them. Product p: of 16 activation rows, p / 2, with 16 weight rows, p % 2. In this order,
/// because what is written is then never 4096 bytes from what is read just after it, which the processor would take for the same place.
template <int Products>
struct alignas(4096) batch_of_dots {
  int32_t v[units_of_batch][Products][register_rows][group_rows];
};

/// What the dots of a unit are added to.
enum class dots_start : uint8_t { at_zero, at_start_of_sums, at_sums };

/// Product `Product` of a unit. x, w: codes of its operands, not yet in registers where it is the first to need them. The numbers of
/// registers must be written out.
template <int Product>
TROUPE_INLINE void multiply_unit(dots_start start, const int8_t* x, const uint8_t* w) {
  if constexpr (Product == 0) {
    if (start == dots_start::at_zero) _tile_zero(0);
    if (start == dots_start::at_start_of_sums) _tile_loadd(0, start_of_sums, 0);
    _tile_loadd(4, x, 32);
    _tile_loadd(6, w, 64);
    _tile_dpbssd(0, 4, 6);
  } else if constexpr (Product == 1) {
    if (start == dots_start::at_zero) _tile_zero(1);
    if (start == dots_start::at_start_of_sums) _tile_loadd(1, start_of_sums, 0);
    _tile_loadd(7, w, 64);
    _tile_dpbssd(1, 4, 7);
  } else if constexpr (Product == 2) {
    if (start == dots_start::at_zero) _tile_zero(2);
    if (start == dots_start::at_start_of_sums) _tile_loadd(2, start_of_sums, 0);
    _tile_loadd(5, x, 32);
    _tile_dpbssd(2, 5, 6);
  } else {
    if (start == dots_start::at_zero) _tile_zero(3);
    if (start == dots_start::at_start_of_sums) _tile_loadd(3, start_of_sums, 0);
    _tile_dpbssd(3, 5, 7);
  }
}

template <int Product>
TROUPE_INLINE void store_dots(int32_t* to) {
  if constexpr (Product == 0) _tile_stored(0, to, 64);
  else if constexpr (Product == 1) _tile_stored(1, to, 64);
  else if constexpr (Product == 2) _tile_stored(2, to, 64);
  else _tile_stored(3, to, 64);
}

/// Weights: unpacked_layout. The tile's codes and scales are those of its panel, codes without the offset. x_tiles: of the first
/// 16 rows, from the tile's first block on; of the next 16, `row_blocks` later.
template <class Weights, class Check, int Rows>
void multiply_in_registers(const tile<register_groups, Rows, int8_block>& task, const int8_tile* x_tiles, uint32_t row_blocks) {
  const tile<register_groups, Rows, int8_block> t = task;
  constexpr int parts = Weights::parts, products = Rows / register_rows * register_groups;
  constexpr uint32_t batch_blocks = units_of_batch / parts;
  constexpr uint32_t sums_at_once = register_rows / units_of_batch;
  batch_of_dots<products> dots[2]; // In turn: one is written while the other is read.
  alignas(4096) float sums[products][register_rows][group_rows];
  [[maybe_unused]] alignas(64) int32_t totals[Rows][group_rows];
  if constexpr (Check::is_on) std::memset(totals, 0, sizeof totals);
  const auto out = [&](int p, int r) TROUPE_LAMBDA {
    return t.out[p / register_groups * register_rows + r] + t.column[p % register_groups];
  };
  for (int p = 0; p < products; ++p)
    for (int r = 0; r < register_rows; ++r)
      store(sums[p][r], t.starts ? zero_floats() : load_first(out(p, r), t.lanes[p % register_groups]));

  // Where the batch is whose dots are scaled.
  struct {
    const int8_tile* x[Rows / register_rows];
    const uint8_t *codes[register_groups], *scales[register_groups];
  } at;
  for (int i = 0; i < Rows / register_rows; ++i) at.x[i] = x_tiles + i * row_blocks;
  for (int g = 0; g < register_groups; ++g) at.codes[g] = t.codes[g], at.scales[g] = t.scales[g];
  const auto advance = [&]() TROUPE_LAMBDA {
    for (auto& x : at.x) x += batch_blocks;
    for (auto& codes : at.codes) codes += batch_blocks * Weights::code_bytes;
    for (auto& scales : at.scales) scales += batch_blocks * Weights::scale_bytes;
  };
  // Product p of unit `unit` after the first of the batch.
  const auto multiply = [&](auto p, auto unit) TROUPE_LAMBDA {
    constexpr uint32_t block = unit / parts, columns = unit % parts * (32 / parts);
    const int8_tile* x = at.x[p / register_groups] + block;
    const uint8_t* w = at.codes[p % register_groups] + block * Weights::code_bytes;
    const dots_start start = Check::is_on                  ? dots_start::at_zero
                             : unit % units_of_batch == 0 ? dots_start::at_start_of_sums
                                                           : dots_start::at_sums;
    multiply_unit<p>(start, x->codes[0] + columns, w + columns / 4 * 64);
    // What the next batch reads: loads of registers wait for the second cache else.
    if constexpr (columns == 0 && p % register_groups == 0)
      repeat<sizeof *x / 64>([&](auto line) TROUPE_LAMBDA {
        __builtin_prefetch(reinterpret_cast<const char*>(x + batch_blocks) + line * 64, 0, 3);
      });
    if constexpr (columns == 0 && p < register_groups)
      repeat<Weights::code_bytes / 64>([&](auto line) TROUPE_LAMBDA {
        __builtin_prefetch(w + batch_blocks * Weights::code_bytes + line * 64, 0, 3);
      });
  };
  // The dots of the batch's `blocks` blocks from `first` on, in the sums of product p from `first_row` on. The loop is not unrolled: it
  // would be no faster, and take minutes to compile.
  const auto scale = [&](auto p, uint32_t first, uint32_t blocks, uint32_t first_row, const batch_of_dots<products>& from) TROUPE_LAMBDA {
    constexpr int g = p % register_groups;
    if (p / register_groups * register_rows + first_row >= t.new_rows) return;
    const int8_tile* x = at.x[p / register_groups];
    f32x16 scales[units_of_batch];
    [[maybe_unused]] f32x16 minimums[units_of_batch];
    repeat<units_of_batch>([&](auto unit) TROUPE_LAMBDA {
      if (uint32_t(unit / parts) >= blocks) return;
      scales[unit] = Weights::template scales<unit % parts>(at.scales[g], unit / parts);
      if constexpr (Weights::has_minimum) minimums[unit] = Weights::template minimums<unit % parts>(at.scales[g], unit / parts);
    });
    for (uint32_t r = first_row; r < first_row + sums_at_once; ++r) {
      [[maybe_unused]] const uint32_t row = p / register_groups * register_rows + r;
      f32x16 sum = load(sums[p][r]);
      [[maybe_unused]] f32x16 before = float_of_bits(all_lanes(bits_of_start));
      [[maybe_unused]] i32x16 total = all_lanes(0);
      repeat<int(batch_blocks)>([&](auto b) TROUPE_LAMBDA {
        if (uint32_t(b) >= blocks) return;
        f32x16 dot[parts];
        repeat<parts>([&](auto part) TROUPE_LAMBDA {
          const f32x16 carried = load(reinterpret_cast<const float*>(from.v[b * parts + part][p][r]));
          if constexpr (Check::is_on) {
            i32x16 exact = bits_of(carried);
            if (uint32_t(g) < t.new_groups) Check::see(exact, t.column[g], row, first + b);
            total = total + exact;
            dot[part] = to_float(exact);
          } else {
            dot[part] = carried - before;
            before = carried;
          }
        });
        const f32x16 x_scale = all_lanes(x[b].scales[r]);
        if constexpr (parts == 1) {
          sum = fma(dot[0], scales[b] * x_scale, sum);
          if constexpr (Weights::has_minimum) sum = fma(minimums[b], all_lanes(x[b].scaled_sums[r]), sum);
        } else {
          static_assert(!Weights::has_minimum);
          sum = fma(fma(dot[1], scales[2 * b + 1], dot[0] * scales[2 * b]), x_scale, sum);
        }
      });
      store(sums[p][r], sum);
      if constexpr (Check::is_on)
        if (uint32_t(g) < t.new_groups) {
          auto* all = reinterpret_cast<float*>(totals[row]); // Only carried.
          store(all, float_of_bits(bits_of(load(all)) + total));
        }
    }
  };
  // The products of `units` units, `after` units after the batch, and between them `between(product, unit)`. Dots are stored one product
  // later, when they are complete.
  const auto multiply_batch = [&](auto after, uint32_t units, batch_of_dots<products>& to, auto between) TROUPE_LAMBDA {
    repeat<units_of_batch>([&](auto unit) TROUPE_LAMBDA {
      const bool is_there = uint32_t(unit) < units;
      repeat<products>([&](auto p) TROUPE_LAMBDA {
        if (is_there) multiply(p, std::integral_constant<uint32_t, unit + after>{});
        between(p, unit);
        if constexpr (p > 0)
          if (is_there) store_dots<p - 1>(to.v[unit][p - 1][0]);
      });
      if (is_there) store_dots<products - 1>(to.v[unit][products - 1][0]);
    });
  };

  asm volatile("" : : : "memory"); // The compiler does not know that tile registers read memory.
  const auto units_from = [&](uint32_t first) TROUPE_LAMBDA {
    return first < t.last ? std::min(uint32_t(units_of_batch), (t.last - first) * parts) : 0;
  };
  batch_of_dots<products>*from = &dots[0], *to = &dots[1];
  multiply_batch(std::integral_constant<int, 0>{}, units_from(t.first), *from, [](auto, uint32_t) TROUPE_LAMBDA {});
  const std::integral_constant<int, units_of_batch> next;
  const uint8_t* ahead = t.ahead;
  uint32_t first = t.first;
  for (; first + 2 * batch_blocks <= t.last; first += batch_blocks, std::swap(from, to), advance()) {
    for (uint32_t block = 0; block < batch_blocks; ++block) fetch_share(ahead, t.ahead_lines);
    multiply_batch(next, units_of_batch, *to, [&](auto p, uint32_t unit) TROUPE_LAMBDA {
      scale(p, first, batch_blocks, unit * sums_at_once, *from);
    });
  }
  for (; first < t.last; first += batch_blocks, std::swap(from, to), advance())
    multiply_batch(next, units_from(first + batch_blocks), *to, [&](auto p, uint32_t unit) TROUPE_LAMBDA {
      scale(p, first, t.last - first, unit * sums_at_once, *from);
    });

  if constexpr (Check::is_on)
    for (uint32_t r = 0; r < uint32_t(Rows) && r < t.new_rows; ++r)
      t.dot_totals[r] += uint32_t(sum_of_lanes(bits_of(load(reinterpret_cast<const float*>(totals[r])))));
  for (uint32_t p = 0; p < uint32_t(products); ++p) {
    const uint32_t g = p % register_groups;
    if (g >= t.new_groups) continue;
    const bool has_bias = t.ends && t.bias != nullptr;
    const f32x16 bias = has_bias ? load_first(t.bias + t.column[g], t.lanes[g]) : zero_floats();
    for (uint32_t r = 0; r < register_rows && p / register_groups * register_rows + r < t.new_rows; ++r) {
      const f32x16 sum = load(sums[p][r]);
      store_first(out(int(p), int(r)), has_bias ? sum + bias : sum, t.lanes[g]);
    }
  }
}

/// Of panels half as long, sums to and from the output take a tenth of the time.
constexpr uint32_t panel_blocks_registers = 64;

/// Not those of Q2_K, which are no faster.
template <class Format>
constexpr bool uses_tiles = parts_of<Format> == 1 || !has_minimum(Format::scaling);

/// Some groups of a product, of an operand that has tiles.
template <class Format, class Check>
void multiply_in_tiles(const product& task, group_range groups) {
  using weights = unpacked_layout<parts_of<Format>, has_minimum(Format::scaling)>;
  struct alignas(64) panel {
    uint8_t codes[register_groups][panel_blocks_registers * weights::code_bytes];
    uint8_t scales[register_groups][panel_blocks_registers * weights::scale_bytes];
  } unpacked;
  const auto unpack = [&](auto& t, bool is_first_tile) {
    for (int g = 0; g < register_groups; ++g) {
      if (is_first_tile)
        unpack_blocks<Format>(t.codes[g], t.scales[g], t.first, t.last, unpacked.codes[g], unpacked.scales[g],
                              [](u8x64 codes) TROUPE_LAMBDA { return subtract_bytes<Format::offset>(codes); });
      t.codes[g] = unpacked.codes[g];
      t.scales[g] = unpacked.scales[g];
    }
  };
  static constexpr tile_shapes shapes = shapes_of_product<weights::parts>();
  _tile_loadconfig(&shapes);
  const uint32_t row_blocks = task.x.row_blocks();
  multiply_all<register_groups, int8_block, fetch::share>(
      task, groups, row_blocks, panel_blocks_registers, std::integer_sequence<int, register_rows, 2 * register_rows>{}, unpack,
      [&](const auto& t, auto) { multiply_in_registers<weights, Check>(t, task.x.tiles(t.row) + t.first, row_blocks); });
  _tile_release(); // Else each change of threads would save the registers.
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
