#include "model/tensor.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <utility>

namespace troupe {
namespace {

constexpr tensor_type_traits all_traits[] = {
    {tensor_type::f32, "F32", 1, 4},       {tensor_type::f16, "F16", 1, 2},
    {tensor_type::bf16, "BF16", 1, 2},     {tensor_type::q4_0, "Q4_0", 32, 18},
    {tensor_type::q4_1, "Q4_1", 32, 20},   {tensor_type::q5_0, "Q5_0", 32, 22},
    {tensor_type::q5_1, "Q5_1", 32, 24},   {tensor_type::q8_0, "Q8_0", 32, 34},
    {tensor_type::q2_k, "Q2_K", 256, 84},  {tensor_type::q3_k, "Q3_K", 256, 110},
    {tensor_type::q4_k, "Q4_K", 256, 144}, {tensor_type::q5_k, "Q5_K", 256, 176},
    {tensor_type::q6_k, "Q6_K", 256, 210}, {tensor_type::iq4_nl, "IQ4_NL", 32, 18},
    {tensor_type::iq4_xs, "IQ4_XS", 256, 136},
};

/// Types that files have and no kernel here reads, by the numbers and names of ggml.h, old ones too.
constexpr std::pair<uint32_t, std::string_view> other_types[] = {
    {4, "Q4_2"},          {5, "Q4_3"},      {9, "Q8_1"},      {15, "Q8_K"},      {16, "IQ2_XXS"},   {17, "IQ2_XS"},
    {18, "IQ3_XXS"},      {19, "IQ1_S"},    {21, "IQ3_S"},    {22, "IQ2_S"},     {24, "I8"},        {25, "I16"},
    {26, "I32"},          {27, "I64"},      {28, "F64"},      {29, "IQ1_M"},     {31, "Q4_0_4_4"},  {32, "Q4_0_4_8"},
    {33, "Q4_0_8_8"},     {34, "TQ1_0"},    {35, "TQ2_0"},    {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"},
    {39, "MXFP4"},        {40, "NVFP4"},    {41, "Q1_0"},     {42, "Q2_0"},
};

} // namespace

std::string why_unsupported(uint32_t number) {
  const auto found = std::ranges::find(other_types, number, &std::pair<uint32_t, std::string_view>::first);
  std::string why = found == std::end(other_types) ? "number " + std::to_string(number) + " is unknown"
                                                   : std::string(found->second) + " is not supported";
  why += "; supported are ";
  for (const auto& traits : all_traits) why += (&traits == all_traits ? "" : ", ") + std::string(traits.name);
  return why;
}

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

} // namespace troupe
