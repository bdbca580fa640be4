#pragma once
// How far apart two processors are: a message between their threads takes at least the transfer of a cache line.

namespace troupe {

/// Nanoseconds until a cache line that one processor wrote was written by another and is back: the median of some batches
/// between the first two processors that this process may use. 0 where it may use only one. Takes about a millisecond.
double measure_line_round_trip();

} // namespace troupe
