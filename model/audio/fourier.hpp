#pragma once
// The discrete Fourier transform, of any length; fast where it has small factors only.
#include <complex>
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// In float64, in one fixed order of operations: the same bits on every machine, which libraries that choose their code by the processor
/// do not give. Cooley and Tukey (1965) over the prime factors of the length. Immutable.
class fourier_transform {
public:
  explicit fourier_transform(uint32_t length); // At least 1.
  uint32_t length() const { return uint32_t(roots_.size()); }
  /// out[k] = sum over n of in[n] e^(-2 pi i k n / length). Both have `length` elements; they do not overlap.
  void transform(std::span<const std::complex<double>> in, std::span<std::complex<double>> out) const;

private:
  using element = std::complex<double>;
  void transform(const element* in, uint32_t stride, std::span<element> out) const;
  std::vector<element> roots_; // e^(-2 pi i j / length)
};

} // namespace troupe
