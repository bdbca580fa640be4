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
  } else {
    const u8x64 both = load_codes(block + 64 * (Word % 4));
    const u8x64 low = (Word < 4 ? both : shift_pairs<-4>(both)) & all_bytes(15);
    if constexpr (CodeBits == 4)
      return low;
    else if constexpr (CodeBits == 5)
      return low | (shift_pairs<4 - Word>(load_codes(block + 256)) & all_bytes(16));
    else
      return low |
             (shift_pairs<4 - 2 * (Word % 4)>(load_codes(block + 256 + 64 * (Word / 4))) & all_bytes(48));
  }
}

constexpr bool has_minimum(scale_kind kind) {
  return kind == scale_kind::half_minimum || kind == scale_kind::super_minimum;
}

/// The scales of part `Part` of block `block`; there are two parts, of 16 columns, in super_signed.
template <scale_kind Kind, int Part>
TROUPE_INLINE f32x16 scales_of(const uint8_t* scales, uint32_t block) {
  if constexpr (Kind == scale_kind::half || Kind == scale_kind::half_minimum) {
    return load_half(scales + block * packed_scale_bytes(Kind));
  } else {
    const uint8_t* record = scales + block / 8 * packed_scale_bytes(Kind);
    if constexpr (Kind == scale_kind::super_minimum)
      return load_half(record) * load_unsigned_bytes(record + 64 + block % 8 * 32);
    else
      return load_half(record) * load_signed_bytes(record + 32 + block % 8 * 32 + Part * 16);
  }
}

template <scale_kind Kind>
TROUPE_INLINE f32x16 minimums_of(const uint8_t* scales, uint32_t block) {
  if constexpr (Kind == scale_kind::half_minimum) {
    return load_half(scales + block * packed_scale_bytes(Kind) + 32);
  } else {
    const uint8_t* record = scales + block / 8 * packed_scale_bytes(Kind);
    return load_half(record + 32) * load_unsigned_bytes(record + 64 + block % 8 * 32 + 16);
  }
}

/// Parts of a block with scales of their own.
constexpr int parts_of(scale_kind kind) { return kind == scale_kind::super_signed ? 2 : 1; }

template <class Format>
struct packed_blocks {
  using format = Format;
  template <int Word>
  static TROUPE_INLINE u8x64 codes(const uint8_t* codes, uint32_t block) {
    return codes_of_word<Format::code_bits, Word>(codes + uint64_t(block) * packed_code_bytes(Format::code_bits));
  }
  template <int Part>
  static TROUPE_INLINE f32x16 scales(const uint8_t* scales, uint32_t block) {
    return scales_of<Format::scaling, Part>(scales, block);
  }
  static TROUPE_INLINE f32x16 minimums(const uint8_t* scales, uint32_t block) {
    return minimums_of<Format::scaling>(scales, block);
  }
};

/// Codes: [block][8 words][64]. Scales: [block][parts, then perhaps the minimums][16] float32.
template <class Format>
struct unpacked_blocks {
  using format = Format;
  static constexpr uint32_t code_bytes = 8 * 64;
  static constexpr uint32_t scale_bytes = (parts_of(Format::scaling) + has_minimum(Format::scaling)) * 64;
  template <int Word>
  static TROUPE_INLINE u8x64 codes(const uint8_t* codes, uint32_t block) {
    return load_codes(codes + block * code_bytes + Word * 64);
  }
  template <int Part>
  static TROUPE_INLINE f32x16 scales(const uint8_t* scales, uint32_t block) {
    return load(reinterpret_cast<const float*>(scales + block * scale_bytes) + Part * 16);
  }
  static TROUPE_INLINE f32x16 minimums(const uint8_t* scales, uint32_t block) {
    return load(reinterpret_cast<const float*>(scales + block * scale_bytes) + parts_of(Format::scaling) * 16);
  }
};

/// Blocks [first, last) of a group. Every value is the one that packed_blocks gives.
template <class Format>
void unpack_blocks(const uint8_t* codes, const uint8_t* scales, uint32_t first, uint32_t last, uint8_t* codes_out,
                   uint8_t* scales_out) {
  using packed = packed_blocks<Format>;
  using unpacked = unpacked_blocks<Format>;
  for (uint32_t block = first; block < last; ++block) {
    repeat<8>([&](auto word) TROUPE_LAMBDA {
      store_codes(codes_out + word * 64, packed::template codes<word>(codes, block));
    });
    auto* floats = reinterpret_cast<float*>(scales_out);
    constexpr int parts = parts_of(Format::scaling);
    repeat<parts>([&](auto part) TROUPE_LAMBDA {
      store(floats + part * 16, packed::template scales<part>(scales, block));
    });
    if constexpr (has_minimum(Format::scaling)) store(floats + parts * 16, packed::minimums(scales, block));
    codes_out += unpacked::code_bytes;
    scales_out += unpacked::scale_bytes;
  }
}

} // namespace troupe::TROUPE_ISA
