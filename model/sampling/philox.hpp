#pragma once
// A counter-based random generator: it has no state, so number n of seed s can be drawn at any time, in any thread or process.
#include <array>
#include <cstdint>

namespace troupe {

/// Philox 4x32 with 10 rounds, "Parallel Random Numbers: As Easy as 1, 2, 3" (Salmon et al. 2011),
/// section 4.3.
std::array<uint32_t, 4> philox4x32_10(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

} // namespace troupe
