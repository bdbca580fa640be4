#include "model/kernels/windows.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {
namespace {

/// Copies columns [first, first + to.size()) of a line; those beyond its edges are 0.
void copy_columns(std::span<const float> line, int64_t first, std::span<float> to) {
  const auto width = int64_t(line.size()), count = int64_t(to.size());
  const int64_t begin = std::clamp<int64_t>(-first, 0, count), end = std::clamp<int64_t>(width - first, begin, count);
  std::fill(to.begin(), to.begin() + begin, 0.0f);
  if (end > begin) std::copy_n(line.begin() + first + begin, end - begin, to.begin() + begin);
  std::fill(to.begin() + end, to.end(), 0.0f);
}

} // namespace

void gather_windows(const window_shape& shape, std::span<const float> input, mutable_rows out) {
  TROUPE_ASSERT(input.size() == uint64_t(shape.channels) * shape.height * shape.width);
  TROUPE_ASSERT(out.rows == shape.windows() && out.columns == shape.elements());
  const uint32_t right = shape.right();
  for (uint32_t row = 0; row < out.rows; ++row) {
    const int64_t top = int64_t(row / right) * shape.stride_down - shape.padding_height;
    const int64_t left = int64_t(row % right) * shape.stride_right - shape.padding_width;
    auto to = out.row(row);
    for (uint32_t channel = 0; channel < shape.channels; ++channel)
      for (uint32_t y = 0; y < shape.window_height; ++y, to = to.subspan(shape.window_width)) {
        const int64_t line = top + y;
        const bool is_inside = line >= 0 && line < int64_t(shape.height);
        const auto from = is_inside ? input.subspan((uint64_t(channel) * shape.height + uint64_t(line)) * shape.width, shape.width)
                                    : std::span<const float>();
        copy_columns(from, left, to.first(shape.window_width));
      }
  }
}

} // namespace troupe
