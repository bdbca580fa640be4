#pragma once
// From one rate of samples to another.
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Band-limited interpolation by a windowed sinc (Smith and Gossett 1984), its coefficients computed once for every phase, or for 512 of
/// them, between which they are interpolated, where rates have too little in common for a table of all: Kaiser's window with 64 zero
/// crossings on each side, which passes nine tenths of what the lower rate can hold, and of what it cannot lets less than -90 dB fold
/// back. Sums in float64 and in one order: the same bits on every machine, however the sound is cut into pieces.
class resampler {
public:
  /// Rates from 1 to 2^20.
  resampler(uint32_t from, uint32_t to);
  /// Takes the next samples and appends to `out` what has become computable.
  void push(std::span<const float> samples, std::vector<float>& out);
  /// The end: appends the rest. As many samples have come out as there are times within the sound: ceil(count * to / from).
  void finish(std::vector<float>& out);

private:
  void produce(uint64_t samples_known, std::vector<float>& out);

  uint32_t up_, down_;         // to / from, in lowest terms.
  uint32_t half_;              // Samples on each side of a point in time that count.
  uint32_t phases_ = 1;        // Of the table.
  std::vector<float> table_;   // [phases_ + 1, 2 * half_]
  std::vector<float> kept_;    // Those that are still needed, from number first_kept_ on.
  int64_t first_kept_ = 0;
  uint64_t taken_ = 0, given_ = 0;
};

} // namespace troupe
