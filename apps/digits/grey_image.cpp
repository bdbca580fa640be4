#include "apps/digits/grey_image.hpp"
#include <algorithm>
#include <cmath>

namespace troupe::digits {
namespace {

/// The piece of a line from a to b, in pixels.
void draw_piece(const mark& a, const mark& b, double ink, grey_image& into) {
  const double reach = std::max(a.radius, b.radius) + 1, dx = b.x - a.x, dy = b.y - a.y, length_squared = dx * dx + dy * dy;
  const auto first = [&](double low) { return static_cast<uint32_t>(std::max(low - reach, 0.0)); };
  const auto end = [&](double high) { return static_cast<uint32_t>(std::clamp(high + reach + 1, 0.0, double(into.size))); };
  for (uint32_t y = first(std::min(a.y, b.y)); y < end(std::max(a.y, b.y)); ++y) {
    for (uint32_t x = first(std::min(a.x, b.x)); x < end(std::max(a.x, b.x)); ++x) {
      const double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
      const double t = length_squared > 0 ? std::clamp((px * dx + py * dy) / length_squared, 0.0, 1.0) : 0;
      const double ex = px - t * dx, ey = py - t * dy;
      const double inside = a.radius + t * (b.radius - a.radius) - std::sqrt(ex * ex + ey * ey);
      double& pixel = into.at(x, y);
      pixel = std::max(pixel, ink * std::clamp(inside + 0.5, 0.0, 1.0));
    }
  }
}

/// How much of pixel `index` lies between low and high.
double overlap(uint32_t index, double low, double high) {
  return std::max(0.0, std::min(high, index + 1.0) - std::max(low, double(index)));
}

} // namespace

void draw(const std::vector<line>& lines, double ink, grey_image& into) {
  const auto in_pixels = [&](const mark& at) { return mark{at.x * into.size, at.y * into.size, at.radius * into.size}; };
  for (const line& one : lines) {
    for (size_t i = 1; i < one.size(); ++i) draw_piece(in_pixels(one[i - 1]), in_pixels(one[i]), ink, into);
  }
}

void blur(grey_image& image, double w) {
  const auto size = image.size;
  for (const bool is_across : {true, false}) {
    const grey_image before = image;
    for (uint32_t y = 0; y < size; ++y) {
      for (uint32_t x = 0; x < size; ++x) {
        const uint32_t along = is_across ? x : y;
        const double left = along == 0 ? 0 : is_across ? before.at(x - 1, y) : before.at(x, y - 1);
        const double right = along + 1 == size ? 0 : is_across ? before.at(x + 1, y) : before.at(x, y + 1);
        image.at(x, y) = w * left + (1 - 2 * w) * before.at(x, y) + w * right;
      }
    }
  }
}

grey_image fit_ink(const grey_image& image, uint32_t size, double widest, double stretch) {
  double left = image.size, right = 0, top = image.size, bottom = 0;
  for (uint32_t y = 0; y < image.size; ++y) {
    for (uint32_t x = 0; x < image.size; ++x) {
      if (image.at(x, y) < 0.25) continue;
      left = std::min(left, double(x));
      right = std::max(right, x + 1.0);
      top = std::min(top, double(y));
      bottom = std::max(bottom, y + 1.0);
    }
  }
  grey_image result(size);
  if (right <= left) return result;
  const double pixel_height = (bottom - top) / size;
  const double pixel_width = std::max((right - left) / widest, pixel_height / stretch), centre = (left + right) / 2;
  for (uint32_t y = 0; y < size; ++y) {
    for (uint32_t x = 0; x < size; ++x) {
      const double x_low = centre + (x - size / 2.0) * pixel_width, y_low = top + y * pixel_height;
      double sum = 0;
      for (uint32_t v = static_cast<uint32_t>(y_low); v < image.size && v < y_low + pixel_height; ++v) {
        for (uint32_t u = static_cast<uint32_t>(std::max(x_low, 0.0)); u < image.size && u < x_low + pixel_width; ++u) {
          sum += image.at(u, v) * overlap(u, x_low, x_low + pixel_width) * overlap(v, y_low, y_low + pixel_height);
        }
      }
      result.at(x, y) = sum / (pixel_width * pixel_height);
    }
  }
  return result;
}

grey_image enlarge(const grey_image& image, uint32_t size) {
  struct place {
    uint32_t first, second;
    double of_second;
  };
  const auto place_of = [&](uint32_t index) {
    const double at = std::clamp((index + 0.5) * image.size / size - 0.5, 0.0, image.size - 1.0);
    const auto first = static_cast<uint32_t>(at);
    return place{first, std::min(first + 1, image.size - 1), at - first};
  };
  grey_image result(size);
  for (uint32_t y = 0; y < size; ++y) {
    const place v = place_of(y);
    for (uint32_t x = 0; x < size; ++x) {
      const place u = place_of(x);
      const auto in_row = [&](uint32_t row) { return (1 - u.of_second) * image.at(u.first, row) + u.of_second * image.at(u.second, row); };
      result.at(x, y) = (1 - v.of_second) * in_row(v.first) + v.of_second * in_row(v.second);
    }
  }
  return result;
}

} // namespace troupe::digits
