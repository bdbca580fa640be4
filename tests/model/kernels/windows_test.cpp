// Claims: a product of gathered windows with a convolution's weights is that convolution, whatever its stride and padding; on every
// instruction set, for whatever else is in the batch, with the same bits.
#include "model/kernels/windows.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_support.hpp"
#include "support/catch.hpp"

using namespace troupe;
using namespace troupe::testing;

namespace {

/// By the definition, in float64: output (o, y, x) is the sum over c, i, j of weight (o, c, i, j) * input (c, y * stride + i - padding, ...).
std::vector<double> convolution(const window_shape& s, const std::vector<float>& input, const std::vector<float>& weights,
                                const std::vector<float>& bias) {
  std::vector<double> out;
  for (uint32_t y = 0; y < s.down(); ++y)
    for (uint32_t x = 0; x < s.right(); ++x)
      for (uint32_t o = 0; o < bias.size(); ++o) {
        double sum = bias[o];
        for (uint32_t c = 0; c < s.channels; ++c)
          for (uint32_t i = 0; i < s.window_height; ++i)
            for (uint32_t j = 0; j < s.window_width; ++j) {
              const int64_t row = int64_t(y * s.stride_down + i) - s.padding_height, column = int64_t(x * s.stride_right + j) - s.padding_width;
              if (row < 0 || column < 0 || row >= int64_t(s.height) || column >= int64_t(s.width)) continue;
              const size_t at = (size_t(c) * s.height + size_t(row)) * s.width + size_t(column);
              sum += double(weights[((size_t(o) * s.channels + c) * s.window_height + i) * s.window_width + j]) * input[at];
            }
        out.push_back(sum);
      }
  return out;
}

constexpr window_shape shapes[] = {
  {.channels = 3, .height = 12, .width = 20, .window_height = 4, .window_width = 4, .stride_down = 4, .stride_right = 4}, // Patches.
  {.channels = 3, .height = 14, .width = 13, .window_height = 4, .window_width = 5, .stride_down = 4, .stride_right = 5}, // With a rest.
  {.channels = 5, .height = 1, .width = 17, .window_height = 1, .window_width = 3, .padding_width = 1},                   // Of a sound.
  {.channels = 5, .height = 1, .width = 17, .window_height = 1, .window_width = 3, .stride_right = 2, .padding_width = 1},
  {.channels = 2, .height = 5, .width = 4, .window_height = 3, .window_width = 3, .padding_height = 2, .padding_width = 3},
  {.channels = 1, .height = 2, .width = 1, .window_height = 2, .window_width = 1},
};

} // namespace

TEST_CASE("windows times weights are the convolution, with the same bits on every instruction set") {
  const auto best = current_isa();
  random_bits random{3};
  for (const auto& shape : shapes) {
    INFO(shape.channels << " x " << shape.height << " x " << shape.width << ", windows " << shape.window_height << " x " << shape.window_width);
    constexpr uint32_t outputs = 19;
    const auto input = random.units(size_t(shape.channels) * shape.height * shape.width);
    const auto weights = random.units(size_t(outputs) * shape.elements()), bias = random.units(outputs);
    std::vector<float> windows(size_t(shape.windows()) * shape.elements());
    gather_windows(shape, input, {windows.data(), shape.windows(), shape.elements(), shape.elements()});
    const tensor_view view{"weights", tensor_type::f32, outputs, shape.elements(), std::as_bytes(std::span(weights))};
    const auto wanted = convolution(shape, input, weights, bias);
    std::vector<float> first;
    for (const auto& isa : available_isas()) {
      pin_isa(isa);
      const auto matrix = packed_matrix::pack(view);
      operand x;
      x.assign({windows.data(), shape.windows(), shape.elements(), shape.elements()}, matrix->wants());
      std::vector<float> out(size_t(shape.windows()) * outputs);
      multiply(*matrix, x, bias, {out.data(), shape.windows(), outputs, outputs});
      for (size_t i = 0; i < out.size(); ++i) REQUIRE(std::abs(out[i] - wanted[i]) < 1e-5);
      // Alone, the last window has the same bits.
      operand last;
      last.assign({windows.data() + size_t(shape.windows() - 1) * shape.elements(), 1, shape.elements(), shape.elements()}, matrix->wants());
      std::vector<float> alone(outputs);
      multiply(*matrix, last, bias, {alone.data(), 1, outputs, outputs});
      CHECK(std::equal(alone.begin(), alone.end(), out.end() - outputs));
      if (first.empty()) first = out;
      CHECK(std::memcmp(first.data(), out.data(), out.size() * sizeof(float)) == 0);
    }
    pin_isa(best);
  }
}

TEST_CASE("windows that do not fit their input are none, and buffers of another size are refused") {
  window_shape shape{.channels = 1, .height = 2, .width = 2, .window_height = 3, .window_width = 3};
  CHECK(shape.windows() == 0);
  shape.padding_height = shape.padding_width = 1;
  CHECK(shape.windows() == 4);
  std::vector<float> input(4), out(4 * 9);
  CHECK_NOTHROW(gather_windows(shape, input, {out.data(), 4, 9, 9}));
  CHECK_THROWS_AS(gather_windows(shape, input, {out.data(), 3, 9, 9}), broken_invariant);
  CHECK_THROWS_AS(gather_windows(shape, std::span(input).first(3), {out.data(), 4, 9, 9}), broken_invariant);
}
