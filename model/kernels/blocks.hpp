#pragma once
// The quantised block formats of GGUF files, taken apart. One description of each, used for dequantising
// rows, for packing matrices and for the reference product; the formats are documented by their layout in
// ggml-common.h.
//
// Every format is "value of an unsigned code of `code_bits` bits, times a scale, perhaps plus a minimum". The value is the
// code less an offset; in the non-linear formats a table says it. `scale_run` elements share a scale; where it comes from,
// see scale_kind. d, m and dmin are binary16; every product below is exact in float32, so that an element has at most one
// rounding, in the subtraction or addition of the minimum.
#include "model/kernels/half.hpp"
#include "model/tensor.hpp"
#include <cstring>

namespace troupe {

enum class scale_kind : uint8_t {
  half,          // Per run d: d * value.
  half_minimum,  // Per run d and m: d * value + m.
  super_minimum, // Per 256 elements d and dmin, per run 6-bit scale and minimum: d * scale * value - dmin * minimum.
  super_nibbles, // The same with a scale and a minimum of 4 bits each.
  super_signed,  // Per 256 elements d, per run a signed scale of up to 8 bits: d * scale * value.
};

/// A block taken apart: 32 or 256 elements, in order.
struct block_parts {
  uint16_t d = 0;           // binary16.
  uint16_t minimum = 0;     // binary16: m or dmin.
  uint8_t scales[16] = {};   // Of super_*, [256 / scale_run]; signed in super_signed.
  uint8_t minimums[16] = {}; // Of super_minimum and super_nibbles.
  alignas(16) uint8_t codes[256];
};

template <tensor_type Type>
struct block_format;

namespace detail {

inline uint16_t load_u16(const uint8_t* bytes) {
  uint16_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

inline uint32_t load_u32(const uint8_t* bytes) {
  uint32_t value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

/// 16 bytes hold 32 codes: the low nibbles are elements 0..15, the high ones 16..31.
inline void unpack_nibbles(const uint8_t* bytes, uint8_t* codes) {
  for (int i = 0; i < 16; ++i) {
    codes[i] = bytes[i] & 15;
    codes[16 + i] = bytes[i] >> 4;
  }
}

/// The fifth bit of 32 codes: bit i of a 32-bit word belongs to element i.
inline void add_fifth_bits(uint32_t bits, uint8_t* codes) {
  for (int i = 0; i < 32; ++i) codes[i] |= uint8_t((bits >> i & 1) << 4);
}

/// The eight 6-bit scales and minimums of Q4_K and Q5_K, in 12 bytes: the first four of each are the low six
/// bits of bytes 0..3 and 4..7; the others have their low nibbles in bytes 8..11 and their top bits above the
/// first four.
inline void unpack_super_scales(const uint8_t* bytes, block_parts& out) {
  for (int i = 0; i < 4; ++i) {
    out.scales[i] = bytes[i] & 63;
    out.minimums[i] = bytes[4 + i] & 63;
    out.scales[4 + i] = uint8_t((bytes[8 + i] & 15) | (bytes[i] >> 6) << 4);
    out.minimums[4 + i] = uint8_t((bytes[8 + i] >> 4) | (bytes[4 + i] >> 6) << 4);
  }
}

/// Two bits of 256 codes, in 64 bytes: bits 2j and 2j+1 of byte i belong to element 32 j + i of the first half; the other 32
/// bytes to the second half.
inline void unpack_pairs(const uint8_t* bytes, uint8_t* codes) {
  for (int half = 0; half < 2; ++half)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < 32; ++i) codes[half * 128 + j * 32 + i] = bytes[half * 32 + i] >> 2 * j & 3;
}

/// The values of IQ4_NL's and IQ4_XS's codes, plus 128.
alignas(16) inline constexpr uint8_t nonlinear_codes[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                                            129, 141, 153, 166, 181, 197, 217, 241};

} // namespace detail

/// Whether values come from a table. Products take `Format::table[code]` in place of the code then: 8 bits, offset 128.
template <class Format>
constexpr bool has_table = requires { Format::table; };

/// Bits of what products multiply.
template <class Format>
constexpr uint32_t product_bits = has_table<Format> ? 8 : Format::code_bits;

template <class Format>
int value_of(uint8_t code) {
  if constexpr (has_table<Format>) code = Format::table[code];
  return int(code) - int(Format::offset);
}

template <>
struct block_format<tensor_type::q4_0> { // d, 16 bytes of nibbles.
  static constexpr uint32_t elements = 32, bytes = 18, code_bits = 4, offset = 8, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    detail::unpack_nibbles(block + 2, out.codes);
  }
};

template <>
struct block_format<tensor_type::q4_1> { // d, m, 16 bytes of nibbles.
  static constexpr uint32_t elements = 32, bytes = 20, code_bits = 4, offset = 0, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half_minimum;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    out.minimum = detail::load_u16(block + 2);
    detail::unpack_nibbles(block + 4, out.codes);
  }
};

template <>
struct block_format<tensor_type::q5_0> { // d, 32 fifth bits, 16 bytes of nibbles.
  static constexpr uint32_t elements = 32, bytes = 22, code_bits = 5, offset = 16, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    detail::unpack_nibbles(block + 6, out.codes);
    detail::add_fifth_bits(detail::load_u32(block + 2), out.codes);
  }
};

template <>
struct block_format<tensor_type::q5_1> { // d, m, 32 fifth bits, 16 bytes of nibbles.
  static constexpr uint32_t elements = 32, bytes = 24, code_bits = 5, offset = 0, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half_minimum;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    out.minimum = detail::load_u16(block + 2);
    detail::unpack_nibbles(block + 8, out.codes);
    detail::add_fifth_bits(detail::load_u32(block + 4), out.codes);
  }
};

template <>
struct block_format<tensor_type::q8_0> { // d, 32 signed bytes.
  static constexpr uint32_t elements = 32, bytes = 34, code_bits = 8, offset = 128, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    for (int i = 0; i < 32; ++i) out.codes[i] = block[2 + i] ^ 128;
  }
};

template <>
struct block_format<tensor_type::q2_k> { // 16 bytes of scales (low nibble) and minimums, 64 of bit pairs, d, dmin.
  static constexpr uint32_t elements = 256, bytes = 84, code_bits = 2, offset = 0, scale_run = 16;
  static constexpr scale_kind scaling = scale_kind::super_nibbles;
  static void unpack(const uint8_t* block, block_parts& out) {
    for (int i = 0; i < 16; ++i) {
      out.scales[i] = block[i] & 15;
      out.minimums[i] = block[i] >> 4;
    }
    detail::unpack_pairs(block + 16, out.codes);
    out.d = detail::load_u16(block + 80);
    out.minimum = detail::load_u16(block + 82);
  }
};

template <>
struct block_format<tensor_type::q3_k> { // 32 bytes of third bits, 64 of bit pairs, 12 of scales, d.
  static constexpr uint32_t elements = 256, bytes = 110, code_bits = 3, offset = 4, scale_run = 16;
  static constexpr scale_kind scaling = scale_kind::super_signed;
  static void unpack(const uint8_t* block, block_parts& out) {
    detail::unpack_pairs(block + 32, out.codes);
    for (int i = 0; i < 256; ++i) out.codes[i] |= uint8_t((block[i % 32] >> (i / 32) & 1) << 2);
    const uint8_t* scales = block + 96; // 6 bits each, less 32: nibbles as in unpack_nibbles, 8 bytes; 4 bytes of upper pairs.
    for (int i = 0; i < 16; ++i) {
      const int low = i < 8 ? scales[i] & 15 : scales[i - 8] >> 4;
      out.scales[i] = uint8_t((low | (scales[8 + i % 4] >> 2 * (i / 4) & 3) << 4) - 32);
    }
    out.d = detail::load_u16(block + 108);
  }
};

template <>
struct block_format<tensor_type::q4_k> { // d, dmin, 12 bytes of scales, 128 bytes of nibbles.
  static constexpr uint32_t elements = 256, bytes = 144, code_bits = 4, offset = 0, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::super_minimum;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    out.minimum = detail::load_u16(block + 2);
    detail::unpack_super_scales(block + 4, out);
    const uint8_t* nibbles = block + 16;
    for (int quarter = 0; quarter < 4; ++quarter) // 32 bytes hold 64 elements, low nibbles first.
      for (int i = 0; i < 32; ++i) {
        out.codes[quarter * 64 + i] = nibbles[quarter * 32 + i] & 15;
        out.codes[quarter * 64 + 32 + i] = nibbles[quarter * 32 + i] >> 4;
      }
  }
};

template <>
struct block_format<tensor_type::q5_k> { // d, dmin, 12 bytes of scales, 32 bytes of fifth bits, 128 of
                                         // nibbles.
  static constexpr uint32_t elements = 256, bytes = 176, code_bits = 5, offset = 0, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::super_minimum;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    out.minimum = detail::load_u16(block + 2);
    detail::unpack_super_scales(block + 4, out);
    const uint8_t* fifth = block + 16; // Bit e of byte i: element 32 e + i.
    const uint8_t* nibbles = block + 48;
    for (int quarter = 0; quarter < 4; ++quarter)
      for (int i = 0; i < 32; ++i) {
        const int bits = fifth[i] >> (2 * quarter);
        out.codes[quarter * 64 + i] = uint8_t((nibbles[quarter * 32 + i] & 15) | (bits & 1) << 4);
        out.codes[quarter * 64 + 32 + i] = uint8_t((nibbles[quarter * 32 + i] >> 4) | (bits & 2) << 3);
      }
  }
};

template <>
struct block_format<tensor_type::q6_k> { // 128 bytes of nibbles, 64 of upper bit pairs, 16 signed scales, d.
  static constexpr uint32_t elements = 256, bytes = 210, code_bits = 6, offset = 32, scale_run = 16;
  static constexpr scale_kind scaling = scale_kind::super_signed;
  static void unpack(const uint8_t* block, block_parts& out) {
    std::memcpy(out.scales, block + 192, 16);
    out.d = detail::load_u16(block + 208);
    for (int half = 0; half < 2; ++half) { // 64 bytes of nibbles and 32 of bit pairs hold 128 elements.
      const uint8_t* nibbles = block + half * 64;
      const uint8_t* upper = block + 128 + half * 32;
      uint8_t* codes = out.codes + half * 128;
      for (int i = 0; i < 32; ++i) {
        codes[i] = uint8_t((nibbles[i] & 15) | (upper[i] & 3) << 4);
        codes[32 + i] = uint8_t((nibbles[32 + i] & 15) | (upper[i] >> 2 & 3) << 4);
        codes[64 + i] = uint8_t((nibbles[i] >> 4) | (upper[i] >> 4 & 3) << 4);
        codes[96 + i] = uint8_t((nibbles[32 + i] >> 4) | (upper[i] >> 6) << 4);
      }
    }
  }
};

template <>
struct block_format<tensor_type::iq4_nl> { // d, 16 bytes of nibbles.
  static constexpr uint32_t elements = 32, bytes = 18, code_bits = 4, offset = 128, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::half;
  static constexpr const uint8_t* table = detail::nonlinear_codes;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    detail::unpack_nibbles(block + 2, out.codes);
  }
};

template <>
struct block_format<tensor_type::iq4_xs> { // d, 2 bytes of scales' upper pairs, 4 of their nibbles, 128 of nibbles.
  static constexpr uint32_t elements = 256, bytes = 136, code_bits = 4, offset = 128, scale_run = 32;
  static constexpr scale_kind scaling = scale_kind::super_signed;
  static constexpr const uint8_t* table = detail::nonlinear_codes;
  static void unpack(const uint8_t* block, block_parts& out) {
    out.d = detail::load_u16(block);
    const int upper = detail::load_u16(block + 2);
    for (int i = 0; i < 8; ++i) {
      const int low = block[4 + i / 2] >> 4 * (i % 2) & 15;
      out.scales[i] = uint8_t((low | (upper >> 2 * i & 3) << 4) - 32);
      detail::unpack_nibbles(block + 8 + 16 * i, out.codes + 32 * i);
    }
  }
};

/// Calls function(block_format<T>{}) for the quantised type `type`. Returns false for a type without blocks.
template <class Function>
bool with_block_format(tensor_type type, Function&& function) {
  switch (type) {
  case tensor_type::q4_0:
    function(block_format<tensor_type::q4_0>{});
    return true;
  case tensor_type::q4_1:
    function(block_format<tensor_type::q4_1>{});
    return true;
  case tensor_type::q5_0:
    function(block_format<tensor_type::q5_0>{});
    return true;
  case tensor_type::q5_1:
    function(block_format<tensor_type::q5_1>{});
    return true;
  case tensor_type::q8_0:
    function(block_format<tensor_type::q8_0>{});
    return true;
  case tensor_type::q2_k:
    function(block_format<tensor_type::q2_k>{});
    return true;
  case tensor_type::q3_k:
    function(block_format<tensor_type::q3_k>{});
    return true;
  case tensor_type::q4_k:
    function(block_format<tensor_type::q4_k>{});
    return true;
  case tensor_type::q5_k:
    function(block_format<tensor_type::q5_k>{});
    return true;
  case tensor_type::q6_k:
    function(block_format<tensor_type::q6_k>{});
    return true;
  case tensor_type::iq4_nl:
    function(block_format<tensor_type::iq4_nl>{});
    return true;
  case tensor_type::iq4_xs:
    function(block_format<tensor_type::iq4_xs>{});
    return true;
  case tensor_type::f32:
  case tensor_type::f16:
  case tensor_type::bf16:
    break;
  }
  return false;
}

} // namespace troupe
