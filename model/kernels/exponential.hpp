#pragma once
// The exponential function, reproducible.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// e^x for x <= 0 with a relative error below 4e-16; 0 for x < -700. The same bits on every machine with IEEE
/// 754 arithmetic, which the C library, choosing its code by the processor, does not guarantee. x = k ln 2 + r
/// with |r| <= ln 2 / 2; then a Taylor polynomial for e^r, even and odd powers apart so that they are
/// computed side by side.
inline double exponential(double x) {
  if (x < -700.0)
    return 0.0;
  constexpr double log2_e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fee00000p-1,
                   ln2_low = 0x1.a39ef35793c76p-33;
  const auto k = static_cast<int>(x * log2_e - 0.5); // Rounds, as x <= 0.
  const double r = (x - k * ln2_high) - k * ln2_low;
  constexpr auto inverse_factorials = [] {
    std::array<double, 14> values{1.0};
    double factorial = 1.0;
    for (int n = 1; n < 14; ++n)
      values[static_cast<size_t>(n)] = 1.0 / (factorial *= n);
    return values;
  }();
  const double square = r * r;
  double even = inverse_factorials[12], odd = inverse_factorials[13];
  for (size_t n = 10;; n -= 2) {
    even = even * square + inverse_factorials[n];
    odd = odd * square + inverse_factorials[n + 1];
    if (n == 0)
      break;
  }
  return (even + odd * r) * std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

} // namespace troupe
