#include "model/kernels/dequantize.hpp"
#include "model/error.hpp"
#include "model/kernels/blocks.hpp"
#include <cstring>

namespace troupe {
namespace {

/// The elements of one block as float32. out: [Format::elements].
template <class Format>
void dequantize_block(const uint8_t* block, float* out) {
  block_parts parts;
  Format::unpack(block, parts);
  const float d = float_of_half(parts.d), minimum = float_of_half(parts.minimum);
  for (uint32_t i = 0; i < Format::elements; ++i) {
    const float code = float(int(parts.codes[i]) - int(Format::offset));
    if constexpr (Format::scaling == scale_kind::half)
      out[i] = d * code;
    else if constexpr (Format::scaling == scale_kind::half_minimum)
      out[i] = d * code + minimum;
    else if constexpr (Format::scaling == scale_kind::super_minimum)
      out[i] = d * float(parts.scales[i / 32]) * code - minimum * float(parts.minimums[i / 32]);
    else
      out[i] = d * float(int8_t(parts.scales[i / 16])) * code;
  }
}

void dequantize_plain(tensor_type type, const uint8_t* row, std::span<float> out) {
  if (type == tensor_type::f32) {
    std::memcpy(out.data(), row, out.size_bytes());
    return;
  }
  for (size_t i = 0; i < out.size(); ++i) {
    const uint16_t bits = detail::load_u16(row + 2 * i);
    out[i] = type == tensor_type::f16 ? float_of_half(bits) : float_of_bfloat(bits);
  }
}

} // namespace

void dequantize_row(const tensor_view& tensor, uint64_t row, std::span<float> out) {
  const uint64_t each = tensor.row_bytes();
  TROUPE_ASSERT(row < tensor.rows);
  TROUPE_ASSERT(out.size() == tensor.columns);
  TROUPE_ASSERT(tensor.bytes.size() >= (row + 1) * each);
  const auto* source = reinterpret_cast<const uint8_t*>(tensor.bytes.data()) + row * each;
  const bool has_blocks = with_block_format(tensor.type, [&](auto format) {
    using type = decltype(format);
    for (uint64_t i = 0; i < out.size() / type::elements; ++i)
      dequantize_block<type>(source + i * type::bytes, out.data() + i * type::elements);
  });
  if (!has_blocks) dequantize_plain(tensor.type, source, out);
}

std::vector<float> dequantize(const tensor_view& tensor) {
  std::vector<float> out(tensor.rows * tensor.columns);
  for (uint64_t row = 0; row < tensor.rows; ++row)
    dequantize_row(tensor, row, std::span(out).subspan(row * tensor.columns, tensor.columns));
  return out;
}

std::vector<float> dequantize(const stored_tensor& tensor) {
  std::vector<float> out(tensor.rows * tensor.columns);
  for_each_piece(tensor, 1, [&](const tensor_view& piece, uint64_t first) {
    for (uint64_t row = 0; row < piece.rows; ++row)
      dequantize_row(piece, row, std::span(out).subspan((first + row) * tensor.columns, tensor.columns));
  });
  return out;
}

} // namespace troupe
