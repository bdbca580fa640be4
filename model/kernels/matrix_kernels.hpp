// Matrix products and the quantisation of their operands, on the vectors of one instruction set: simd_*.hpp
// comes first.
//
// A tile is some groups of 16 weight rows times some activation rows; its sums stay in registers while it
// walks the columns. Many activation rows: the columns are walked in panels, so that the weights of a panel
// stay in the nearest cache while all activation rows pass by; between panels the sums rest in the output.
// Few rows: all of them and one group, so that the weights come in one stream, each once: with 8 rows of Q8_0 1.6 times as
// fast on Zen 5 as two groups and panels. Plain types take two groups with AVX2 and AVX-512, to have enough independent
// sums. Either way each sum sees the same operations in the same order.
//
// The hardware fetches too little ahead while a tile computes, so tiles ask for memory themselves (fetch, below): up to
// 1.2 times as fast with one or two rows on Zen 5, more than twice with 8 rows of F16.
//
// A tile that reaches beyond the last row or group repeats the last one: it computes and stores the same
// value twice, which costs little and needs no second version of the kernel.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include "model/kernels/weight_blocks.hpp"
#include <algorithm>

namespace troupe::TROUPE_ISA {

/// Which weights a tile asks memory for while it computes.
enum class fetch : uint8_t {
  stream, // Its own, a little ahead: where every tile reads weights that no tile has read before.
  share,  // A share of those of the groups after its own, into the second cache: where many tiles read the same weights.
};
/// How many bytes ahead fetch::stream is. One of the two for all is up to 1.1 times as slow (one row, two threads, AVX-512 and
/// AVX2 of Zen 5).
constexpr uint64_t stream_ahead(uint32_t bits) { return bits < 8 ? 8192 : 4096; }

template <int Groups, int Rows, class Activation>
struct tile {
  const uint8_t* codes[Groups];
  const uint8_t* scales[Groups];
  uint32_t column[Groups]; // In the output.
  uint32_t lanes[Groups];  // Rows of the group that exist.
  const Activation* x[Rows];
  float* out[Rows];
  const float* bias;    // Or null.
  uint32_t first, last; // Blocks of 32 columns, or columns.
  bool starts, ends;    // Whether the panel is the first, the last.
  uint32_t row;         // The first of the activation rows.
  // fetch::share: from `ahead` on, `ahead_lines` cache lines with every block or column.
  const uint8_t* ahead = nullptr;
  uint32_t ahead_lines = 0;
  // For checked products, see check_kernels.hpp: what of the tile is no repetition, and what to add each row's dots to.
  uint32_t new_groups, new_rows;
  uint32_t* dot_totals;
};

/// Whether a product adds up its int8 dots so that they can be compared. With `unchecked` nothing of it is compiled.
struct unchecked {
  static constexpr bool is_on = false;
};
struct checked {
  static constexpr bool is_on = true;
  /// Called with every vector of dots when it is complete, before it is used: a test's own policy injects a fault here.
  static void see(i32x16&, uint32_t /*first_column*/, uint32_t /*row*/, uint32_t /*block*/) {}
};

template <int Groups, int Rows>
struct tile_sums {
  f32x16 v[Groups][Rows];
};

template <int Groups, int Rows, class Activation>
TROUPE_INLINE void load_sums(const tile<Groups, Rows, Activation>& t, tile_sums<Groups, Rows>& sums) {
  repeat<Groups>([&](auto g) TROUPE_LAMBDA {
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      sums.v[g][r] = t.starts ? zero_floats() : load_first(t.out[r] + t.column[g], t.lanes[g]);
    });
  });
}

/// Repetitions store the same value twice; where a wrong bit in one of them must not corrupt it, only what is new is stored.
template <bool OnlyNew = false, int Groups, int Rows, class Activation>
TROUPE_INLINE void store_sums(const tile<Groups, Rows, Activation>& t, const tile_sums<Groups, Rows>& sums) {
  repeat<Groups>([&](auto g) TROUPE_LAMBDA {
    const bool has_bias = t.ends && t.bias != nullptr;
    const f32x16 bias = has_bias ? load_first(t.bias + t.column[g], t.lanes[g]) : zero_floats();
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      if (OnlyNew && (uint32_t(g) >= t.new_groups || uint32_t(r) >= t.new_rows)) return;
      store_first(t.out[r] + t.column[g], has_bias ? sums.v[g][r] + bias : sums.v[g][r], t.lanes[g]);
    });
  });
}

/// fetch::stream: what the tile reads `stream_ahead` bytes after the next `Lines` cache lines of each group, which begin at
/// byte `from` of its `group_bytes`. Into the nearest cache; codes of 8 bits, which leave little to compute meanwhile, into
/// the second. Past a group's end is what the next tile, if it is a whole one, has in this place; beyond the last group, the
/// matrix that is probably used next; beyond all, the fetch is harmless.
template <uint32_t Bits, int Lines, int Groups, int Rows, class Activation>
TROUPE_INLINE void fetch_stream(const tile<Groups, Rows, Activation>& t, uint64_t from, uint64_t group_bytes) {
  from += stream_ahead(Bits);
  if (from >= group_bytes) from += (Groups - 1) * group_bytes;
  repeat<Groups>([&](auto g) TROUPE_LAMBDA {
    repeat<Lines>([&](auto line)
                      TROUPE_LAMBDA { __builtin_prefetch(t.codes[g] + from + line * 64, 0, Bits == 8 ? 2 : 3); });
  });
}

/// fetch::share: the next lines.
TROUPE_INLINE void fetch_share(const uint8_t*& ahead, uint32_t lines) {
  for (uint32_t line = 0; line < lines; ++line, ahead += 64) __builtin_prefetch(ahead, 0, 2);
}

constexpr int log2_of(uint32_t x) { return x <= 1 ? 0 : 1 + log2_of(x / 2); }

/// -(the sum of the activations' codes) in the columns of a part.
template <class Format, int Part>
TROUPE_INLINE i32x16 negative_sum(const int8_block& x) {
  if constexpr (parts_of<Format> == 1)
    return all_lanes(x.negative_sum);
  else if constexpr (Part == 0)
    return all_lanes(x.negative_first_half);
  else
    return all_lanes(x.negative_sum) - all_lanes(x.negative_first_half);
}

/// What a sum of int8 products starts with: -offset * (sum of the activations' codes).
template <class Format, int Part>
TROUPE_INLINE i32x16 start_of_dot(const int8_block& x) {
  if constexpr (Format::offset == 0 || (Format::offset == 128 && dot_removes_128))
    return all_lanes(0);
  else
    return shift_left<log2_of(Format::offset)>(negative_sum<Format, Part>(x));
}

/// Weights: packed_blocks or unpacked_blocks, as the tile's codes and scales are.
template <class Weights, class Check, fetch Fetch, int Groups, int Rows>
void multiply_int8_tile(const tile<Groups, Rows, int8_block>& task) {
  using format = typename Weights::format;
  const tile<Groups, Rows, int8_block> t =
      task; // A copy that nothing else refers to: its pointers stay in registers.
  constexpr int parts = parts_of<format>;
  constexpr int words = 8 / parts;
  [[maybe_unused]] constexpr uint64_t block_bytes = packed_code_bytes(format::code_bits);
  tile_sums<Groups, Rows> sums;
  load_sums(t, sums);
  [[maybe_unused]] i32x16 totals[Rows];
  if constexpr (Check::is_on) repeat<Rows>([&](auto r) TROUPE_LAMBDA { totals[r] = all_lanes(0); });
  [[maybe_unused]] const uint8_t* ahead = t.ahead;
  for (uint32_t block = t.first; block < t.last; ++block) {
    if constexpr (Fetch == fetch::stream)
      fetch_stream<format::code_bits, block_bytes / 64>(t, uint64_t(block) * block_bytes, uint64_t(t.last) * block_bytes);
    else
      fetch_share(ahead, t.ahead_lines);
    [[maybe_unused]] tile_sums<Groups, Rows> both; // Of the two parts of a block, without the activations' scale.
    repeat<parts>([&](auto part) TROUPE_LAMBDA {
      i32x16 dots[Groups][Rows];
      repeat<Rows>([&](auto r) TROUPE_LAMBDA {
        const i32x16 start = start_of_dot<format, part>(t.x[r][block]);
        repeat<Groups>([&](auto g) TROUPE_LAMBDA { dots[g][r] = start; });
      });
      repeat<words>([&](auto word) TROUPE_LAMBDA {
        u8x64 w[Groups];
        repeat<Groups>([&](auto g) TROUPE_LAMBDA {
          w[g] = Weights::template codes<part * words + word>(t.codes[g], block);
        });
        repeat<Rows>([&](auto r) TROUPE_LAMBDA {
          const i32x16 x = broadcast_codes(t.x[r][block].codes + 4 * (part * words + word));
          repeat<Groups>(
              [&](auto g) TROUPE_LAMBDA { dots[g][r] = dot_codes<product_bits<format>>(dots[g][r], w[g], x); });
        });
      });
      if constexpr (Check::is_on)
        repeat<Groups>([&](auto g) TROUPE_LAMBDA {
          if (Groups > 1 && uint32_t(g) >= t.new_groups) return;
          repeat<Rows>([&](auto r) TROUPE_LAMBDA {
            Check::see(dots[g][r], t.column[g], uint32_t(r), block);
            totals[r] = totals[r] + dots[g][r];
          });
        });
      repeat<Groups>([&](auto g) TROUPE_LAMBDA {
        const f32x16 scales = Weights::template scales<part>(t.scales[g], block);
        repeat<Rows>([&](auto r) TROUPE_LAMBDA {
          const f32x16 dot = to_float(dots[g][r]), x_scale = all_lanes(t.x[r][block].scale);
          if constexpr (parts == 1)
            sums.v[g][r] = fma(dot, scales * x_scale, sums.v[g][r]);
          else if constexpr (part == 0)
            both.v[g][r] = dot * scales;
          else if constexpr (has_minimum(format::scaling))
            both.v[g][r] = fma(dot, scales, both.v[g][r]);
          else
            sums.v[g][r] = fma(fma(dot, scales, both.v[g][r]), x_scale, sums.v[g][r]);
        });
        if constexpr (has_minimum(format::scaling)) {
          const f32x16 minimums = Weights::template minimums<part>(t.scales[g], block);
          repeat<Rows>([&](auto r) TROUPE_LAMBDA {
            if constexpr (parts == 1) {
              sums.v[g][r] = fma(minimums, all_lanes(t.x[r][block].scaled_sum), sums.v[g][r]);
            } else {
              both.v[g][r] = fma(minimums, to_float(negative_sum<format, part>(t.x[r][block])), both.v[g][r]);
              if constexpr (part == 1) sums.v[g][r] = fma(both.v[g][r], all_lanes(t.x[r][block].scale), sums.v[g][r]);
            }
          });
        }
      });
    });
  }
  if constexpr (Check::is_on)
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      if (uint32_t(r) < t.new_rows) t.dot_totals[r] += uint32_t(sum_of_lanes(totals[r]));
    });
  store_sums<Check::is_on>(t, sums);
}

template <tensor_type Type>
TROUPE_INLINE f32x16 load_elements(const uint8_t* p) {
  if constexpr (Type == tensor_type::f32) {
    return load(reinterpret_cast<const float*>(p));
  } else if constexpr (Type == tensor_type::f16) {
    return load_half(p);
  } else {
    return load_bfloat(p);
  }
}

template <tensor_type Type, fetch Fetch, int Groups, int Rows>
void multiply_float_tile(const tile<Groups, Rows, float>& task) {
  const tile<Groups, Rows, float> t = task;
  constexpr uint64_t column_bytes = group_rows * (Type == tensor_type::f32 ? 4 : 2);
  constexpr uint64_t line_columns = 64 / column_bytes;
  tile_sums<Groups, Rows> sums;
  load_sums(t, sums);
  [[maybe_unused]] const uint8_t* ahead = t.ahead;
  const auto add_column = [&](uint64_t column) TROUPE_LAMBDA {
    if constexpr (Fetch == fetch::share) fetch_share(ahead, t.ahead_lines);
    f32x16 w[Groups];
    repeat<Groups>([&](auto g)
                       TROUPE_LAMBDA { w[g] = load_elements<Type>(t.codes[g] + column * column_bytes); });
    repeat<Rows>([&](auto r) TROUPE_LAMBDA {
      const f32x16 x = all_lanes(t.x[r][column]);
      repeat<Groups>([&](auto g) TROUPE_LAMBDA { sums.v[g][r] = fma(w[g], x, sums.v[g][r]); });
    });
  };
  uint64_t column = t.first;
  if constexpr (Fetch == fetch::stream)
    for (; column + line_columns <= t.last; column += line_columns) {
      fetch_stream<column_bytes * 8 / group_rows, 1>(t, column * column_bytes, t.last * column_bytes);
      repeat<int(line_columns)>([&](auto i) TROUPE_LAMBDA { add_column(column + i); });
    }
  for (; column < t.last; ++column) add_column(column);
  store_sums(t, sums);
}

TROUPE_INLINE const int8_block* activations(const operand& x, uint32_t row, const int8_block*) {
  return x.blocks(row);
}
TROUPE_INLINE const float* activations(const operand& x, uint32_t row, const float*) {
  return x.floats().data + row * x.floats().stride;
}

template <int Groups, int Rows, class Activation>
void choose_rows(const product& task, uint32_t first_row, tile<Groups, Rows, Activation>& t) {
  t.row = first_row;
  for (int r = 0; r < Rows; ++r) {
    const uint32_t row = std::min(first_row + uint32_t(r), task.x.rows() - 1);
    t.x[r] = activations(task.x, row, static_cast<const Activation*>(nullptr));
    t.out[r] = task.out.data + row * task.out.stride;
  }
}

template <int Groups, int Rows, class Activation>
void choose_groups(const product& task, uint32_t first_group, tile<Groups, Rows, Activation>& t) {
  const packed_matrix::layout& w = task.w.get();
  for (uint32_t g = 0; g < uint32_t(Groups); ++g) {
    const uint32_t group = std::min(first_group + g, w.groups - 1);
    t.codes[g] = w.codes(group);
    t.scales[g] = w.scales(group);
    t.column[g] = group * group_rows;
    t.lanes[g] = std::min(group_rows, task.w.rows() - group * group_rows);
  }
  t.bias = task.bias;
}

/// Which part of the next groups' weights tile `index` of `tiles` fetches while it does its panel. All tiles together
/// fetch them once. Beyond the last group is the matrix that is probably used next; beyond all, the fetch is harmless.
template <int Groups, int Rows, class Activation>
void choose_ahead(const product& task, uint32_t index, uint32_t tiles, uint32_t length,
                  tile<Groups, Rows, Activation>& t) {
  const uint64_t bytes = Groups * task.w.get().code_bytes;
  t.ahead_lines = uint32_t((bytes / 64 + uint64_t(tiles) * length - 1) / (uint64_t(tiles) * length));
  const uint64_t begin = (uint64_t(t.first) * tiles + uint64_t(index) * (t.last - t.first)) * t.ahead_lines * 64;
  t.ahead = t.codes[0] + bytes + begin;
  if (begin >= bytes) t.ahead_lines = 0;
}

/// Some groups of the weights, and what tiles add the dots of each activation row to: null unless they are checked.
struct group_range {
  uint32_t first, last;
  uint32_t* dot_totals;
};

/// Weights that need no preparation: a tile reads them where they are.
struct as_they_are {
  void operator()(auto&, bool) const {}
};

/// The loops over groups, panels and tiles of rows. Groups at a time, `length` units of columns in all,
/// `panel` at a time. prepare(tile, is first of its panel) may put the panel's weights elsewhere; kernel(tile, Fetch) does
/// one tile.
template <int Groups, class Activation, fetch Fetch, int... RowSizes, class Prepare, class Kernel>
void multiply_all(const product& task, group_range groups, uint32_t length, uint32_t panel,
                  std::integer_sequence<int, RowSizes...>, Prepare prepare, Kernel kernel) {
  constexpr uint32_t rows_most = std::max({RowSizes...});
  const uint32_t rows = task.x.rows();
  if (std::is_same_v<Prepare, as_they_are> && rows <= rows_most) panel = length; // Prepared ones have room for a panel only.
  for (uint32_t group = groups.first; group < groups.last; group += Groups)
    for (uint32_t first = 0; first < length; first += panel) {
      const uint32_t last = first + std::min(panel, length - first);
      bool is_prepared = false;
      for (uint32_t row = 0; row < rows; row += rows_most)
        with_size<RowSizes...>(rows - row, [&](auto size) {
          tile<Groups, size, Activation> t;
          choose_groups(task, group, t);
          choose_rows(task, row, t);
          t.first = first;
          t.last = last;
          t.starts = first == 0;
          t.ends = last == length;
          t.new_groups = groups.last - group;
          t.new_rows = rows - row;
          t.dot_totals = groups.dot_totals == nullptr ? nullptr : groups.dot_totals + row;
          if constexpr (Fetch == fetch::share)
            choose_ahead(task, row / rows_most, (rows + rows_most - 1) / rows_most, length, t);
          prepare(t, !std::exchange(is_prepared, true));
          kernel(t, std::integral_constant<fetch, Fetch>{});
        });
    }
}

/// Blocks of a panel: two groups of 8-bit codes and their scales take about 70 KiB, which stay in the second cache. Shorter
/// panels that fit the first are slower: putting the sums away and fetching them again costs more.
constexpr uint32_t panel_blocks = 64;
constexpr uint32_t panel_blocks_unpacked = 32;

/// Unpacks a panel's weights once for all tiles of rows.
template <class Format, class Check>
void multiply_unpacked(const product& task, group_range groups, uint32_t blocks) {
  using weights = unpacked_blocks<Format>;
  struct alignas(64) panel {
    uint8_t codes[int8_groups][panel_blocks_unpacked * weights::code_bytes];
    uint8_t scales[int8_groups][panel_blocks_unpacked * weights::scale_bytes];
  } unpacked;
  const auto unpack = [&](auto& t, bool is_first_tile) {
    for (int g = 0; g < int8_groups; ++g) {
      if (is_first_tile)
        unpack_blocks<Format>(t.codes[g], t.scales[g], t.first, t.last, unpacked.codes[g], unpacked.scales[g],
                              [](u8x64 codes) TROUPE_LAMBDA { return codes; });
      t.codes[g] = unpacked.codes[g];
      t.scales[g] = unpacked.scales[g];
    }
    for (auto& x : t.x) x += t.first;
    t.last -= std::exchange(t.first, 0);
  };
  multiply_all<int8_groups, int8_block, fetch::share>(
      task, groups, blocks, panel_blocks_unpacked, int8_row_sizes{}, unpack,
      [](const auto& t, auto how) { multiply_int8_tile<weights, Check, how>(t); });
}

/// Whether weights of a format are unpacked once for many tiles of rows. 4 and 5 bits come out of their vectors so fast that
/// it saves nothing.
template <class Format>
constexpr bool unpacks_once = has_table<Format> || (Format::code_bits & 2) != 0;

template <class Format, class Check>
void multiply_int8(const product& task, group_range groups) {
  const uint32_t blocks = task.w.columns() / 32, rows = task.x.rows();
  using weights = packed_blocks<Format>;
  if (rows <= int8_rows_few) // Bound by memory.
    multiply_all<int8_groups_few, int8_block, fetch::stream>(
        task, groups, blocks, blocks, int8_row_sizes_few{}, as_they_are{},
        [](const auto& t, auto how) { multiply_int8_tile<weights, Check, how>(t); });
  else if (!unpacks_once<Format> || rows <= int8_rows_unpacked)
    multiply_all<int8_groups, int8_block, fetch::share>(
        task, groups, blocks, panel_blocks, int8_row_sizes{}, as_they_are{},
        [](const auto& t, auto how) { multiply_int8_tile<weights, Check, how>(t); });
  else
    multiply_unpacked<Format, Check>(task, groups, blocks);
}

constexpr uint32_t panel_columns = 256; // Two groups of float32 take 32 KiB.

/// 16-bit weights of a panel are widened once for all tiles of rows: widening competes with the sums for the same ports.
template <tensor_type Type>
void multiply_widened(const product& task, group_range groups) {
  constexpr uint64_t panel_floats = uint64_t(panel_columns) * group_rows;
  alignas(64) float wide[float_groups][panel_floats];
  const auto widen = [&](auto& t, bool is_first_tile) {
    for (int g = 0; g < float_groups; ++g) {
      const uint64_t begin = uint64_t(t.first) * group_rows, count = uint64_t(t.last) * group_rows - begin;
      if (is_first_tile)
        for (uint64_t i = 0; i < count; i += 16)
          store(wide[g] + i, load_elements<Type>(t.codes[g] + 2 * (begin + i)));
      t.codes[g] = reinterpret_cast<const uint8_t*>(wide[g]);
    }
    for (auto& x : t.x) x += t.first;
    t.last -= std::exchange(t.first, 0);
  };
  multiply_all<float_groups, float, fetch::share>(
      task, groups, task.w.columns(), panel_columns, float_row_sizes{}, widen,
      [](const auto& t, auto how) { multiply_float_tile<tensor_type::f32, how>(t); });
}

template <tensor_type Type>
void multiply_float(const product& task, group_range groups) {
  const uint32_t columns = task.w.columns(), rows = task.x.rows();
  if (rows <= float_rows_few) // Bound by memory.
    multiply_all<float_groups_few, float, fetch::stream>(
        task, groups, columns, columns, float_row_sizes_few{}, as_they_are{},
        [](const auto& t, auto how) { multiply_float_tile<Type, how>(t); });
  else if (Type == tensor_type::f32 || rows <= float_rows_widened)
    multiply_all<float_groups, float, fetch::share>(
        task, groups, columns, panel_columns, float_row_sizes{}, as_they_are{},
        [](const auto& t, auto how) { multiply_float_tile<Type, how>(t); });
  else if constexpr (Type != tensor_type::f32)
    multiply_widened<Type>(task, groups);
}

void quantize_block(f32x16 a, f32x16 b, int8_block& out) {
  const i32x16 magnitudes = all_lanes(0x7fffffff);
  const int32_t largest_bits = max_of_lanes(max(bits_of(a) & magnitudes, bits_of(b) & magnitudes));
  const float largest = __builtin_bit_cast(float, largest_bits);
  const bool is_finite = largest_bits < 0x7f800000;
  if (!is_finite || largest < 0x1p-100f) {
    out = {};
    if (!is_finite) out.scale = out.scaled_sum = __builtin_nanf("");
    return;
  }
  const f32x16 inverse = all_lanes(127.0f / largest);
  const i32x16 first = round_to_int(a * inverse), second = round_to_int(b * inverse);
  store_bytes(out.codes, first);
  store_bytes(out.codes + 16, second);
  const int32_t first_sum = sum_of_lanes(first), sum = first_sum + sum_of_lanes(second);
  out.scale = largest / 127.0f;
  out.scaled_sum = out.scale * float(sum);
  out.negative_sum = -sum;
  out.negative_first_half = -first_sum;
}

void quantize_row(const float* x, uint32_t columns, int8_block* blocks) {
  uint32_t column = 0;
  for (; column + 32 <= columns; column += 32)
    quantize_block(load(x + column), load(x + column + 16), *blocks++);
  if (column < columns) {
    const uint32_t rest = columns - column, first = std::min(rest, 16u);
    quantize_block(load_first(x + column, first), load_first(x + column + first, rest - first), *blocks);
  }
}

} // namespace troupe::TROUPE_ISA
