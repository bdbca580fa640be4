#pragma once
// Fills any protobuf message from a generator, by reflection, so that tests cover messages that are added later.
#include <google/protobuf/message.h>

#include <cstdint>
#include <random>

namespace troupe::testing {

/// Raw 64-bit draws of a std::mt19937_64 are the same on every machine; std distributions are not.
using random_bits = std::mt19937_64;

/// Sets every field of `message` (of a oneof: one), and of the messages inside it, to something else than its default.
/// Repeated fields get 1 to `repeats_max` elements. Floats are often NaNs with a payload, infinities, denormals and -0. Strings
/// hold UTF-8, as proto3 requires.
void fill(google::protobuf::Message& message, random_bits& random, std::uint64_t repeats_max);

/// Whether fill left nothing out: every field of `message` (of a oneof: one), and of the messages inside it, is
/// present.
bool is_full(const google::protobuf::Message& message);

} // namespace troupe::testing
