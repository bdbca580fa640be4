#pragma once
// This test program's operator new counts large allocations. Defined in a file of its own: inlined next to other code,
// GCC takes its use of malloc for a mismatch of new and free.
#include <cstddef>

namespace troupe::testing {

inline constexpr std::size_t large_allocation_bytes = std::size_t{1} << 20;

/// How many allocations of at least large_allocation_bytes there were since the program started, in all threads.
int large_allocations();

} // namespace troupe::testing
