#pragma once
#include "model/spec.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// Sines and cosines of positions, "Attention Is All You Need" §3.5: pair i of position p is sin and cos of p / 10000^(2i/width).
/// [positions, width]; empty where positions are not sinusoidal.
std::vector<float> make_sinusoids(position_kind kind, uint32_t positions, uint32_t width);

} // namespace troupe
