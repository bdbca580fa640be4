// The weights of a block of 32 columns of a group of 16 rows, as the products of int8 want them: codes a byte each, scales
// and minimums in float32. packed_blocks makes them from layout.hpp's packed form each time; unpacked_blocks reads what
// unpack_blocks has made before, which pays when many tiles of rows pass by the same weights. simd_*.hpp comes first.
#pragma once
#include "model/kernels/layout.hpp"

namespace troupe::TROUPE_ISA {

/// Word `Word` of a block of codes, see layout.hpp.
template <int CodeBits, int Word>
TROUPE_INLINE u8x64 codes_of_word(const uint8_t* block) {
  if constexpr (CodeBits == 8) {
    return load_codes(block + 64 * Word);
  } else if constexpr ((CodeBits & 1) != 0) {
    constexpr int below = CodeBits - 1;
    const u8x64 low = codes_of_word<below, Word>(block);
    return low | (shift_pairs<below - Word>(load_codes(block + 64 * below)) & all_bytes(1 << below));
  } else if constexpr (CodeBits == 4) {
    const u8x64 both = load_codes(block + 64 * (Word % 4));
    return (Word < 4 ? both : shift_pairs<-4>(both)) & all_bytes(15);
  } else if constexpr (CodeBits == 2) {
    return shift_pairs<-2 * (Word % 4)>(load_codes(block + 64 * (Word / 4))) & all_bytes(3);
  } else {
    static_assert(CodeBits == 6); // Both planes at once, moved straight to their places: one row of Q6_K is slower otherwise.
    const u8x64 both = load_codes(block + 64 * (Word % 4));
    const u8x64 low = (Word < 4 ? both : shift_pairs<-4>(both)) & all_bytes(15);
    return low | (shift_pairs<4 - 2 * (Word % 4)>(load_codes(block + 256 + 64 * (Word / 4))) & all_bytes(48));
  }
}

constexpr bool has_minimum(scale_kind kind) {
  return kind == scale_kind::half_minimum || kind == scale_kind::super_minimum || kind == scale_kind::super_nibbles;
}

/// Parts of a block with scales of their own: 1, or 2 of 16 columns.
template <class Format>
constexpr int parts_of = 32 / Format::scale_run;

/// The record of scales with block `block`, and what it has for part `part` of that: `width` bytes for a run.
template <class Format>
TROUPE_INLINE const uint8_t* record_of(const uint8_t* scales, uint32_t block) {
  return scales + block / (Format::elements / 32) * packed_scale_bytes<Format>();
}
template <class Format>
TROUPE_INLINE const uint8_t* run_of(const uint8_t* record, uint32_t block, uint32_t part, uint32_t width) {
  return record + scales_of_runs(Format::scaling) + block % 8 * (uint32_t(parts_of<Format>) * width) + part * width;
}

/// The scales of part `Part` of block `block`.
template <class Format, int Part>
TROUPE_INLINE f32x16 scales_of(const uint8_t* scales, uint32_t block) {
  constexpr scale_kind kind = Format::scaling;
  const uint8_t* record = record_of<Format>(scales, block);
  if constexpr (kind == scale_kind::half || kind == scale_kind::half_minimum)
    return load_half(record);
  else if constexpr (kind == scale_kind::super_minimum)
    return load_half(record) * load_unsigned_bytes(run_of<Format>(record, block, Part, 32));
  else if constexpr (kind == scale_kind::super_nibbles)
    return load_half(record) * to_float(widen_bytes(run_of<Format>(record, block, Part, 16)) & all_lanes(15));
  else
    return load_half(record) * load_signed_bytes(run_of<Format>(record, block, Part, 16));
}

/// To be multiplied with the sum of the activations' codes; of super_nibbles, with its negative.
template <class Format, int Part>
TROUPE_INLINE f32x16 minimums_of(const uint8_t* scales, uint32_t block) {
  constexpr scale_kind kind = Format::scaling;
  const uint8_t* record = record_of<Format>(scales, block);
  if constexpr (kind == scale_kind::half_minimum)
    return load_half(record + 32);
  else if constexpr (kind == scale_kind::super_minimum)
    return load_half(record + 32) * load_unsigned_bytes(run_of<Format>(record, block, Part, 32) + 16);
  else
    return load_half(record + 32) * to_float(shift_right<4>(widen_bytes(run_of<Format>(record, block, Part, 16))));
}

template <class Format>
struct packed_blocks {
  using format = Format;
  template <int Word>
  static TROUPE_INLINE u8x64 codes(const uint8_t* codes, uint32_t block) {
    const u8x64 words = codes_of_word<Format::code_bits, Word>(codes + uint64_t(block) * packed_code_bytes(Format::code_bits));
    if constexpr (has_table<Format>)
      return look_up(Format::table, words);
    else
      return words;
  }
  template <int Part>
  static TROUPE_INLINE f32x16 scales(const uint8_t* scales, uint32_t block) {
    return scales_of<Format, Part>(scales, block);
  }
  template <int Part>
  static TROUPE_INLINE f32x16 minimums(const uint8_t* scales, uint32_t block) {
    return minimums_of<Format, Part>(scales, block);
  }
};

/// Codes: [block][8 words][64]. Scales: [block][scales of the parts, then perhaps their minimums][16] float32.
template <int Parts, bool HasMinimum>
struct unpacked_layout {
  static constexpr int parts = Parts;
  static constexpr bool has_minimum = HasMinimum;
  static constexpr uint32_t code_bytes = 8 * 64;
  static constexpr uint32_t scale_bytes = parts * (1 + HasMinimum) * 64;
  template <int Word>
  static TROUPE_INLINE u8x64 codes(const uint8_t* codes, uint32_t block) {
    return load_codes(codes + block * code_bytes + Word * 64);
  }
  template <int Part>
  static TROUPE_INLINE f32x16 scales(const uint8_t* scales, uint32_t block) {
    return load(reinterpret_cast<const float*>(scales + block * scale_bytes) + Part * 16);
  }
  template <int Part>
  static TROUPE_INLINE f32x16 minimums(const uint8_t* scales, uint32_t block) {
    return load(reinterpret_cast<const float*>(scales + block * scale_bytes) + (parts + Part) * 16);
  }
};
template <class Format>
struct unpacked_blocks : unpacked_layout<parts_of<Format>, has_minimum(Format::scaling)> {
  using format = Format;
};

/// Blocks [first, last) of a group. Every value is the one that packed_blocks gives, codes after `change`.
template <class Format, class Change>
void unpack_blocks(const uint8_t* codes, const uint8_t* scales, uint32_t first, uint32_t last, uint8_t* codes_out,
                   uint8_t* scales_out, Change change) {
  using packed = packed_blocks<Format>;
  using unpacked = unpacked_blocks<Format>;
  for (uint32_t block = first; block < last; ++block) {
    repeat<8>([&](auto word) TROUPE_LAMBDA {
      store_codes(codes_out + word * 64, change(packed::template codes<word>(codes, block)));
    });
    auto* floats = reinterpret_cast<float*>(scales_out);
    constexpr int parts = unpacked::parts;
    repeat<parts>([&](auto part) TROUPE_LAMBDA {
      store(floats + part * 16, packed::template scales<part>(scales, block));
      if constexpr (has_minimum(Format::scaling))
        store(floats + (parts + part) * 16, packed::template minimums<part>(scales, block));
    });
    codes_out += unpacked::code_bytes;
    scales_out += unpacked::scale_bytes;
  }
}

} // namespace troupe::TROUPE_ISA
