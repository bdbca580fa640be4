#pragma once
// Convolutions as matrix products: each output element is the product of a window of the input with a row of weights, so the windows
// become rows, and the product is multiply() (model/kernels/matrix.hpp), with its instruction sets and its batch invariance.
#include "model/kernels/rows.hpp"
#include <cstdint>
#include <span>

namespace troupe {

/// Windows of an input [channels, height, width]. What lies beyond the input's edges is 0.
struct window_shape {
  uint32_t channels = 1, height = 1, width = 1;
  uint32_t window_height = 1, window_width = 1;
  uint32_t stride_down = 1, stride_right = 1;
  uint32_t padding_height = 0, padding_width = 0; // Added on both sides.

  uint32_t down() const { return count(height, padding_height, window_height, stride_down); }
  uint32_t right() const { return count(width, padding_width, window_width, stride_right); }
  uint32_t windows() const { return down() * right(); }
  uint32_t elements() const { return channels * window_height * window_width; } // Of one window.

private:
  static uint32_t count(uint32_t size, uint32_t padding, uint32_t window, uint32_t stride) {
    const uint64_t padded = uint64_t(size) + 2 * uint64_t(padding);
    return padded < window ? 0 : uint32_t((padded - window) / stride) + 1;
  }
};

/// Row i of `out` becomes window i, from left to right, then from top to bottom: [channels, window_height, window_width], the order of a
/// convolution's weights. out: [windows(), elements()].
void gather_windows(const window_shape& shape, std::span<const float> input, mutable_rows out);

} // namespace troupe
