#pragma once
// The sine, reproducible: the C library chooses its code by the processor, and with it the last bit.
#include <cstdint>

namespace troupe {

constexpr double pi = 0x1.921fb54442d18p+1;

/// sin x with an error below 1e-15, for |x| < 1000; the same bits on every machine. x = k pi + r with |r| <= pi / 2; then a Taylor
/// polynomial.
inline double sine(double x) {
  constexpr double pi_high = 0x1.921fb54000000p+1, pi_low = 0x1.10b4611a62633p-29; // k times the first is exact.
  const auto k = static_cast<int64_t>(x / pi + (x < 0 ? -0.5 : 0.5));
  const double r = (x - double(k) * pi_high) - double(k) * pi_low, square = r * r;
  double sum = 0;
  for (int n = 24; n >= 2; n -= 2) sum = (1 + sum) * -square / (n * (n + 1));
  return (k % 2 != 0 ? -r : r) * (1 + sum);
}

} // namespace troupe
