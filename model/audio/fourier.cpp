#include "model/audio/fourier.hpp"
#include "model/audio/sine.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {
namespace {

using element = std::complex<double>;

/// Without the checks for infinities of the standard's operator.
element product(element a, element b) { return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()}; }

uint32_t smallest_factor(uint32_t n) {
  for (uint32_t factor = 2; factor * factor <= n; ++factor)
    if (n % factor == 0) return factor;
  return n;
}

} // namespace

fourier_transform::fourier_transform(uint32_t length) : roots_(length) {
  TROUPE_ASSERT(length > 0);
  for (uint32_t j = 0; j < length; ++j) {
    const double turn = double(j) / length;
    roots_[j] = {sine(2 * pi * (turn + 0.25)), -sine(2 * pi * turn)};
  }
}

void fourier_transform::transform(std::span<const element> in, std::span<element> out) const {
  TROUPE_ASSERT(in.size() == length() && out.size() == length());
  transform(in.data(), 1, out);
}

/// Of in[0], in[stride], ...: the transforms of every pth one of them, p the smallest factor, and what they add up to.
void fourier_transform::transform(const element* in, uint32_t stride, std::span<element> out) const {
  const auto n = uint32_t(out.size());
  if (n == 1) {
    out[0] = in[0];
    return;
  }
  const uint32_t p = smallest_factor(n), m = n / p;
  for (uint32_t r = 0; r < p; ++r) transform(in + r * stride, stride * p, out.subspan(r * m, m));
  const uint64_t step = length() / n; // Of a root of n among all roots.
  std::vector<element> turned(p);
  for (uint32_t k = 0; k < m; ++k) {
    for (uint32_t r = 0; r < p; ++r) turned[r] = product(out[r * m + k], roots_[r * k * step]);
    for (uint32_t q = 0; q < p; ++q) {
      element sum = turned[0];
      for (uint32_t r = 1; r < p; ++r) sum += product(turned[r], roots_[uint64_t(r) * q % p * m * step]);
      out[q * m + k] = sum;
    }
  }
}

} // namespace troupe
