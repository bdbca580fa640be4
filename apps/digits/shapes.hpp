#pragma once
// The shapes of digits, as people write them.
#include <cstdint>
#include <span>
#include <vector>

namespace troupe::digits {

/// Where a pen passes: x to the right, y downwards. A shape is 100 high and about 60 wide.
struct point {
  double x = 0, y = 0;
  bool is_corner = false; // The pen turns here; elsewhere its way is smooth.
};
using stroke = std::vector<point>;

/// One way to write a digit.
struct shape {
  uint32_t weight; // How often it is chosen, beside the others of its digit.
  std::vector<stroke> strokes;
};

/// The shapes of 0 ... 9.
std::span<const shape> shapes_of(uint32_t digit);

} // namespace troupe::digits
