#pragma once
// Random numbers with a normal distribution, the same on every machine.
#include <cstdint>
#include <span>

namespace troupe {

/// out[i] = deviation * z, where z is about normal with mean 0 and deviation 1, and a function of (seed, stream, i) only.
///
/// z is the sum of 12 uniform numbers minus 6 (Knuth, The Art of Computer Programming 2, 3.4.1), whose variance is 12 * 1/12: additions
/// of integers only, where the usual transformations need logarithms and cosines, which differ between libraries. It is never beyond
/// -6 and 6, and tails from 3 on are a little thin. Each uniform number is 16 bits of philox4x32_10 with the key `seed`; the counter
/// is (number of the block, stream), and three blocks give two numbers.
void normal_values(uint64_t seed, uint64_t stream, float deviation, std::span<float> out);

} // namespace troupe
