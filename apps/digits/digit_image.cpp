#include "apps/digits/digit_image.hpp"
#include "apps/digits/draws.hpp"
#include "apps/digits/grey_image.hpp"
#include <algorithm>
#include <cmath>

namespace troupe::digits {
namespace {

using generators::choice;

/// One in four images is what comes of a scan of 8 x 8 pixels with 17 shades, as old collections of digits have them: of a digit that fills
/// their height.
grey_image low_resolution(choice& draws, std::vector<line> lines, uint32_t size) {
  const double thicker = uniform(draws, 0, 0.06);
  for (line& one : lines) {
    for (mark& at : one) at.radius += thicker;
  }
  grey_image fine(48);
  draw(lines, 1, fine);
  const double widest = uniform(draws, 4.5, 7), stretch = uniform(draws, 1, 1.5);
  grey_image coarse = fit_ink(fine, 8, widest, stretch);
  for (double& pixel : coarse.pixels) pixel = std::floor(16 * pixel + 0.5) / 16;
  return enlarge(coarse, size);
}

/// What else is on the paper: a faint straight line, specks.
void draw_dirt(choice& draws, grey_image& image) {
  if (draws.chance(1, 2)) {
    const double from = uniform(draws, 0, 1), to = from + uniform(draws, -0.2, 0.2), radius = uniform(draws, 0.008, 0.02);
    line ruled{{-0.1, from, radius}, {1.1, to, radius}};
    if (draws.chance(1, 3)) {
      for (mark& at : ruled) std::swap(at.x, at.y);
    }
    draw({ruled}, uniform(draws, 0.1, 0.35), image);
  }
  for (uint32_t left = draws.below(4); left > 0; --left) {
    const mark at{uniform(draws, 0, 1), uniform(draws, 0, 1), uniform(draws, 0.01, 0.035)};
    const mark end{at.x + uniform(draws, -0.03, 0.03), at.y, at.radius};
    draw({{at, end}}, uniform(draws, 0.3, 0.9), image);
  }
}

/// What a camera or scanner makes of it: paper that is not black, its light uneven, and noise.
void scan(choice& draws, grey_image& image) {
  const double paper = uniform(draws, 0, 0.15), across = uniform(draws, -0.08, 0.08), down = uniform(draws, -0.08, 0.08);
  const double noise = draws.chance(2, 3) ? uniform(draws, 0.01, 0.07) : 0;
  for (uint32_t y = 0; y < image.size; ++y) {
    for (uint32_t x = 0; x < image.size; ++x) {
      const double light = paper + across * (double(x) / image.size - 0.5) + down * (double(y) / image.size - 0.5);
      double& pixel = image.at(x, y);
      pixel = light + (1 - light) * pixel;
      if (noise > 0) pixel += around_zero(draws, noise);
    }
  }
}

} // namespace

digit_image make_digit_image(uint64_t seed, uint64_t index, uint32_t size) {
  choice draws{seed, index};
  digit_image result{static_cast<uint32_t>(index % 10), {}};
  const auto lines = write_digit(draws, result.digit);
  grey_image image(size);
  if (draws.chance(1, 4)) {
    image = low_resolution(draws, lines, size);
  } else {
    draw(lines, 1, image);
    if (draws.chance(1, 5)) draw_dirt(draws, image);
    for (uint32_t times = draws.below(3); times > 0; --times) blur(image, uniform(draws, 0.05, 0.25));
  }
  // A scanner adjusts itself to the darkest ink. Then contrast: how strong the ink is, and how soon what is half of each counts as one.
  const double darkest = *std::max_element(image.pixels.begin(), image.pixels.end());
  const double ink = draws.chance(1, 2) ? 1 : uniform(draws, 0.6, 1), hardness = uniform(draws, 0, 0.7);
  for (double& pixel : image.pixels) {
    const double level = pixel / darkest;
    pixel = ink * ((1 - hardness) * level + hardness * level * level * (3 - 2 * level));
  }
  if (draws.chance(1, 3)) scan(draws, image);
  for (const double pixel : image.pixels) result.pixels.push_back(static_cast<uint8_t>(255 * std::clamp(pixel, 0.0, 1.0) + 0.5));
  return result;
}

} // namespace troupe::digits
