#pragma once
// A counter-based random generator: no state, so anyone can draw number n of seed s, at any time and place.
#include <array>
#include <cstdint>

namespace troupe {

/// Philox 4x32 with 10 rounds, "Parallel Random Numbers: As Easy as 1, 2, 3" (Salmon et al. 2011),
/// section 4.3.
std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

} // namespace troupe
