// Matrix products from their definition in matrix.hpp, in plain C++, one element at a time.
#include "model/error.hpp"
#include "model/kernels/blocks.hpp"
#include "model/kernels/dequantize.hpp"
#include "model/kernels/matrix.hpp"
#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

namespace troupe {
namespace {

struct plain_block {
  float scale = 0;
  int codes[32] = {};
};

plain_block quantize(std::span<const float> x) {
  plain_block block;
  float largest = 0;
  for (const float value : x) {
    if (!std::isfinite(value)) {
      block.scale = std::numeric_limits<float>::quiet_NaN();
      return block;
    }
    largest = std::max(largest, std::abs(value));
  }
  if (largest < 0x1p-100f) return block;
  block.scale = largest / 127.0f;
  const float inverse = 127.0f / largest;
  for (size_t i = 0; i < x.size(); ++i) block.codes[i] = int(std::nearbyint(x[i] * inverse));
  return block;
}

/// The chain of fused multiply-adds over the blocks of one row of W.
template <class Format>
float dot_blocks(const uint8_t* row, std::span<const plain_block> x) {
  constexpr bool has_halves = Format::scale_run == 16; // Then dots and sums are of the halves.
  constexpr bool is_super = Format::elements == 256;
  constexpr bool has_minimum = Format::scaling != scale_kind::half && Format::scaling != scale_kind::super_signed;
  float sum = 0;
  block_parts parts;
  for (size_t column = 0; column < x.size() * 32; column += 32) {
    const size_t within = column % Format::elements;
    if (within == 0) Format::unpack(row + column / Format::elements * Format::bytes, parts);
    const plain_block& block = x[column / 32];
    int dots[2] = {}, code_sums[2] = {};
    for (size_t i = 0; i < 32; ++i) {
      dots[has_halves && i >= 16] += value_of<Format>(parts.codes[within + i]) * block.codes[i];
      code_sums[has_halves && i >= 16] += block.codes[i];
    }
    float scales[2], minimums[2];
    for (size_t half = 0; half < 2; ++half) {
      const size_t run = within / Format::scale_run + half * has_halves;
      const float scale = Format::scaling == scale_kind::super_signed ? float(int8_t(parts.scales[run])) : float(parts.scales[run]);
      scales[half] = float_of_half(parts.d) * (is_super ? scale : 1);
      minimums[half] = float_of_half(parts.minimum) * (is_super ? -float(parts.minimums[run]) : 1);
    }
    if constexpr (has_halves) {
      float both = float(dots[0]) * scales[0];
      if constexpr (has_minimum) both = std::fma(minimums[0], float(code_sums[0]), both);
      both = std::fma(float(dots[1]), scales[1], both);
      if constexpr (has_minimum) both = std::fma(minimums[1], float(code_sums[1]), both);
      sum = std::fma(both, block.scale, sum);
    } else {
      sum = std::fma(float(dots[0]), scales[0] * block.scale, sum);
      if constexpr (has_minimum) sum = std::fma(minimums[0], block.scale * float(code_sums[0]), sum);
    }
  }
  return sum;
}

float dot_floats(std::span<const float> w, std::span<const float> x) {
  const auto columns = Eigen::Index(w.size());
  const Eigen::Map<const Eigen::VectorXf> row(w.data(), columns), input(x.data(), columns);
  return float(row.cast<double>().dot(input.cast<double>()));
}

} // namespace

void multiply_reference(const tensor_view& w, const_rows x, operand_kind kind, std::span<const float> bias,
                        mutable_rows out) {
  TROUPE_ASSERT(w.columns == x.columns);
  TROUPE_ASSERT(w.rows == out.columns);
  TROUPE_ASSERT(x.rows == out.rows);
  const auto* bytes = reinterpret_cast<const uint8_t*>(w.bytes.data());
  std::vector<float> weights(w.columns);
  std::vector<plain_block> blocks((x.columns + 31) / 32);
  for (uint32_t r = 0; r < x.rows; ++r) {
    for (size_t i = 0; i < blocks.size(); ++i)
      blocks[i] = quantize(x.row(r).subspan(i * 32, std::min<size_t>(32, x.columns - i * 32)));
    for (uint32_t n = 0; n < w.rows; ++n) {
      float& y = out.row(r)[n];
      if (kind == operand_kind::int8_blocks) {
        const bool has_blocks = with_block_format(w.type, [&](auto format) {
          y = dot_blocks<decltype(format)>(bytes + n * w.row_bytes(), blocks);
        });
        TROUPE_ASSERT(has_blocks);
      } else {
        dequantize_row(w, n, weights);
        y = dot_floats(weights, x.row(r));
      }
      if (!bias.empty()) y += bias[n];
    }
  }
}

} // namespace troupe
