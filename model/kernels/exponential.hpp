#pragma once
// The exponential function and the logarithm, reproducible.
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace troupe {

/// e^x for x <= 0 with a relative error below 4e-16; 0 for x < -700; NaN for NaN. The same bits on every machine with IEEE
/// 754 arithmetic, which the C library, choosing its code by the processor, does not guarantee. x = k ln 2 + r
/// with |r| <= ln 2 / 2; then a Taylor polynomial for e^r, even and odd powers apart so that they are
/// computed side by side.
inline double exponential(double x) {
  if (!(x >= -700.0)) // NaN too, which has no int.
    return x < -700.0 ? 0.0 : x;
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

/// ln x for finite x > 0 with a relative error below 1e-15, near 1 too; the same bits on every machine. NaN for NaN and infinity.
/// x = 2^k m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(s) with s = (m - 1) / (m + 1), by its Taylor series.
inline double logarithm(double x) {
  int k = 0;
  double m = std::frexp(x, &k);
  if (m < 0.70710678118654752) {
    m *= 2;
    --k;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double sum = 0;
  for (int n = 21; n >= 1; n -= 2) sum = sum * square + 1.0 / n;
  return k * 0x1.62e42fefa39efp-1 + 2 * s * sum;
}

} // namespace troupe
