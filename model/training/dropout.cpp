#include "model/training/dropout.hpp"
#include "model/sampling/philox.hpp"
#include <algorithm>

namespace troupe {

void apply(const dropout& what, uint32_t layer, dropout_site site, mutable_rows x) {
  if (!what) return;
  // An element is dropped when its 32 random bits are below the share of 2^32.
  const auto bound = uint32_t(std::min(double(what.share) * 4294967296.0, 4294967295.0));
  const float factor = 1.0f / (1.0f - what.share);
  const std::array<uint32_t, 2> key{uint32_t(what.seed) ^ uint32_t(what.update >> 32), uint32_t(what.seed >> 32)};
  for (uint32_t row = 0; row < x.rows; ++row) {
    float* values = x.data + row * x.stride;
    for (uint32_t column = 0; column < x.columns; column += 4) {
      const auto bits = philox4x32_10({what.first_row + row, column / 4, uint32_t(what.update), layer * 4 + uint32_t(site)}, key);
      const uint32_t count = std::min(4u, x.columns - column);
      for (uint32_t i = 0; i < count; ++i) values[column + i] = bits[i] < bound ? 0.0f : values[column + i] * factor;
    }
  }
}

} // namespace troupe
