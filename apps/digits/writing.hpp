#pragma once
// How a hand writes a shape: as lines, at a place, with a pen.
#include "apps/digits/shapes.hpp"
#include "apps/generators/choice.hpp"

namespace troupe::digits {

/// Where the pen is and how wide its mark is there: half the width, in the units of the place.
struct mark {
  double x = 0, y = 0, radius = 0;
};
/// A stroke as short straight pieces from mark to mark.
using line = std::vector<mark>;

/// A digit written into the unit square, which is the image. Drawn are the shape, where its points lie, slant, rotation by up to 15
/// degrees, proportions, a smooth distortion of the plane, the width of the pen and how it changes, the size and the place.
std::vector<line> write_digit(generators::choice& draws, uint32_t digit);

} // namespace troupe::digits
