#pragma once
// Grey images on their way: how much ink is where.
#include "apps/digits/writing.hpp"

namespace troupe::digits {

/// [size, size], row by row, 0 (none) to 1 (all ink).
struct grey_image {
  uint32_t size = 0;
  std::vector<double> pixels;

  explicit grey_image(uint32_t side) : size(side), pixels(size_t(side) * side) {}
  double& at(uint32_t x, uint32_t y) { return pixels[size_t(y) * size + x]; }
  double at(uint32_t x, uint32_t y) const { return pixels[size_t(y) * size + x]; }
};

/// Draws lines of the unit square. A pixel is as dark as its centre is near to the line: all ink from half a pixel inside the edge on,
/// none from half a pixel outside, straight in between. Where lines meet the darker one counts.
void draw(const std::vector<line>& lines, double ink, grey_image& into);

/// Each pixel becomes the mean of itself and its neighbours, across and down, with the weights w, 1 - 2 w, w; nothing is beyond the edge.
void blur(grey_image& image, double w);

/// Cut to its ink, which gets as high as the result, and wider by `stretch` than that makes it, but at most `widest` pixels wide; in the
/// middle. Each pixel is the mean of what lies in it.
grey_image fit_ink(const grey_image& image, uint32_t size, double widest, double stretch);

/// To another size, with straight lines between the centres of pixels.
grey_image enlarge(const grey_image& image, uint32_t size);

} // namespace troupe::digits
