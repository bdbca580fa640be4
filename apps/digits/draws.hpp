#pragma once
// Real numbers from draws. Only sums, products, quotients and square roots are used here and in all of apps/digits: IEEE 754 says what
// their results are to the last bit, which nobody says of sines, powers and logarithms. So an image is the same on every machine.
#include "apps/generators/choice.hpp"

namespace troupe::digits {

/// Between low and high, all equally likely.
inline double uniform(generators::choice& draws, double low, double high) {
  constexpr uint32_t steps = 1u << 24;
  return low + (high - low) * ((draws.below(steps) + 0.5) / steps);
}

/// Around 0 with a standard deviation of `deviation`, and never more than three of them away: a sum of three uniform numbers.
inline double around_zero(generators::choice& draws, double deviation) {
  double sum = 0;
  for (int i = 0; i < 3; ++i) sum += uniform(draws, -1, 1);
  return deviation * sum;
}

} // namespace troupe::digits
