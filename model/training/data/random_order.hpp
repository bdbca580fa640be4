#pragma once
// Orders drawn from a seed: the same on every machine, with every standard library.
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// What an order is for. Orders of different purposes have nothing in common, whatever the seed. The numbers are part of what a
/// seed means: never change one.
enum class order_purpose : uint32_t { split = 1, documents = 2, sequences = 3, batches = 4, vocabulary_sample = 5 };

/// Fisher-Yates (Knuth, The Art of Computer Programming, volume 2, algorithm 3.4.2 P) with draws from Philox: every permutation
/// is as likely as any other. A keyed Feistel network would give single elements of a permutation without memory; but whoever lays
/// the documents of an epoch end to end needs the sum of the lengths before each, so a pass over all and memory for all is spent
/// anyway, once an epoch.
/// values: at most 2^32 - 1.
void shuffle(std::span<uint32_t> values, uint64_t seed, uint64_t epoch, order_purpose purpose);

/// 0, 1, ..., count - 1, shuffled.
std::vector<uint32_t> shuffled(uint32_t count, uint64_t seed, uint64_t epoch, order_purpose purpose);

} // namespace troupe
