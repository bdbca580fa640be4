#include "model/parts/sinusoids.hpp"
#include <cmath>

namespace troupe {

std::vector<float> make_sinusoids(position_kind kind, uint32_t positions, uint32_t width) {
  if (kind != position_kind::sinusoidal && kind != position_kind::sinusoidal_halves) return {};
  std::vector<float> table(uint64_t(positions) * width);
  const uint32_t pairs = width / 2;
  for (uint32_t i = 0; i < pairs; ++i) {
    const double frequency = std::pow(10000.0, -2.0 * i / width);
    const uint32_t sine = kind == position_kind::sinusoidal ? 2 * i : i;
    const uint32_t cosine = kind == position_kind::sinusoidal ? 2 * i + 1 : pairs + i;
    for (uint32_t p = 0; p < positions; ++p) {
      table[uint64_t(p) * width + sine] = float(std::sin(p * frequency));
      table[uint64_t(p) * width + cosine] = float(std::cos(p * frequency));
    }
  }
  return table;
}

} // namespace troupe
