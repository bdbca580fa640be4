#include "model/tensor.hpp"
#include "model/error.hpp"
#include "model/kernels/blocks.hpp"
#include <algorithm>

namespace troupe {
namespace {

constexpr tensor_type_traits all_traits[] = {
    {tensor_type::f32, "F32", 1, 4},       {tensor_type::f16, "F16", 1, 2},
    {tensor_type::bf16, "BF16", 1, 2},     {tensor_type::q4_0, "Q4_0", 32, 18},
    {tensor_type::q4_1, "Q4_1", 32, 20},   {tensor_type::q5_0, "Q5_0", 32, 22},
    {tensor_type::q5_1, "Q5_1", 32, 24},   {tensor_type::q8_0, "Q8_0", 32, 34},
    {tensor_type::q4_k, "Q4_K", 256, 144}, {tensor_type::q5_k, "Q5_K", 256, 176},
    {tensor_type::q6_k, "Q6_K", 256, 210},
};

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

const tensor_type_traits* find_tensor_type(uint32_t number) {
  const auto found = std::ranges::find(all_traits, tensor_type(number), &tensor_type_traits::type);
  return found == std::end(all_traits) ? nullptr : found;
}

const tensor_type_traits& traits_of(tensor_type type) {
  const tensor_type_traits* traits = find_tensor_type(uint32_t(type));
  TROUPE_ASSERT(traits != nullptr);
  return *traits;
}

uint64_t tensor_view::row_bytes() const {
  const tensor_type_traits& traits = traits_of(type);
  TROUPE_ASSERT(columns % traits.block_elements == 0);
  return columns / traits.block_elements * traits.block_bytes;
}

tensor_view tensor_view::row_slice(uint64_t first, uint64_t count) const {
  TROUPE_ASSERT(first <= rows);
  TROUPE_ASSERT(count <= rows - first);
  const uint64_t each = row_bytes();
  TROUPE_ASSERT(bytes.size() >= rows * each);
  return {name, type, count, columns, bytes.subspan(first * each, count * each)};
}

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

} // namespace troupe
