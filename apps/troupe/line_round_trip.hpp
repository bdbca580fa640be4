#pragma once
// How far apart are two processors? What one thread tells another takes a line of cache on its way.

namespace troupe {

/// Nanoseconds until a line of cache that one processor wrote was written by another and is back: the median of some batches
/// between the first two processors that this process may use. 0 where it may use only one. Takes about a millisecond.
double measure_line_round_trip();

} // namespace troupe
