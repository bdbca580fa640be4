#include "model/images/resize.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {
namespace {

constexpr uint32_t weight_bits = 22, channels = 3;

double reach_of(resampling how) { return how == resampling::box ? 0.5 : how == resampling::bilinear ? 1 : 2; }

double weight_at(resampling how, double x) {
  if (how == resampling::box) return x > -0.5 && x <= 0.5 ? 1 : 0;
  x = std::abs(x);
  if (how == resampling::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

/// What one pixel of the result is made of: pixels [first, first + weights.size()) of a line.
struct source_pixels {
  uint32_t first = 0;
  std::vector<int32_t> weights;
};

std::vector<source_pixels> sources_of(uint32_t from, uint32_t to, resampling how) {
  const double scale = double(from) / to, filter_scale = std::max(scale, 1.0), reach = reach_of(how) * filter_scale;
  std::vector<source_pixels> all(to);
  std::vector<double> weights;
  for (uint32_t i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const auto first = int64_t(std::max(0.0, center - reach + 0.5)), end = std::min<int64_t>(from, int64_t(center + reach + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t x = first; x < end; ++x) sum += weights.emplace_back(weight_at(how, (double(x) - center + 0.5) * (1.0 / filter_scale)));
    all[i].first = uint32_t(first);
    for (const double weight : weights) {
      const double part = sum != 0 ? weight * (1.0 / sum) : weight;
      all[i].weights.push_back(int32_t(part * (1 << weight_bits) + (part < 0 ? -0.5 : 0.5)));
    }
  }
  return all;
}

uint8_t rounded(int64_t sum) { return uint8_t(std::clamp<int64_t>((sum + (int64_t(1) << (weight_bits - 1))) >> weight_bits, 0, 255)); }

rgb_image resize_rows(const rgb_image& image, uint32_t width, resampling how) {
  rgb_image result{width, image.height, {}};
  result.pixels.resize(size_t(width) * image.height * channels);
  const auto sources = sources_of(image.width, width, how);
  uint8_t* to = result.pixels.data();
  for (uint32_t y = 0; y < image.height; ++y) {
    const uint8_t* line = image.pixels.data() + size_t(y) * image.width * channels;
    for (const auto& [first, weights] : sources)
      for (uint32_t c = 0; c < channels; ++c) {
        int64_t sum = 0;
        const uint8_t* from = line + size_t(first) * channels + c;
        for (const int32_t weight : weights) sum += int64_t(*from) * weight, from += channels;
        *to++ = rounded(sum);
      }
  }
  return result;
}

rgb_image resize_columns(const rgb_image& image, uint32_t height, resampling how) {
  rgb_image result{image.width, height, {}};
  const size_t line = size_t(image.width) * channels;
  result.pixels.resize(line * height);
  uint8_t* to = result.pixels.data();
  std::vector<int64_t> sums(line);
  for (const auto& [first, weights] : sources_of(image.height, height, how)) {
    std::ranges::fill(sums, 0);
    const uint8_t* from = image.pixels.data() + line * first;
    for (const int32_t weight : weights)
      for (size_t x = 0; x < line; ++x) sums[x] += int64_t(*from++) * weight;
    to = std::ranges::transform(sums, to, rounded).out;
  }
  return result;
}

} // namespace

rgb_image resize(const rgb_image& image, uint32_t width, uint32_t height, resampling how) {
  TROUPE_ASSERT(width > 0 && height > 0);
  TROUPE_ASSERT(image.width > 0 && image.height > 0);
  TROUPE_ASSERT(image.pixels.size() == size_t(image.width) * image.height * channels);
  if (image.width == width && image.height == height) return image;
  if (image.width == width) return resize_columns(image, height, how);
  const auto rows = resize_rows(image, width, how);
  return image.height == height ? rows : resize_columns(rows, height, how);
}

} // namespace troupe
