#pragma once
// Counts what operator new allocates, in every test program that links this. Mapped memory (packed weights) and malloc are not
// counted.
#include <cstdint>

namespace troupe::testing {

/// What the calling thread has done with operator new since this object was made.
class allocation_count {
public:
  /// `large`: from how many bytes on an allocation is counted as a large one, for the latest such object.
  explicit allocation_count(uint64_t large = UINT64_MAX);
  uint64_t allocations() const;       // Calls.
  uint64_t large_allocations() const; // Those of at least `large` bytes.
  uint64_t peak_bytes() const;  // The most that was held at once, beyond what was held at the start.

private:
  int64_t held_before_;
  uint64_t allocations_before_, large_before_;
};

/// While such an object exists, operator new has no memory for blocks of exactly `bytes` in the thread that made it.
class failing_allocations {
public:
  explicit failing_allocations(uint64_t bytes);
  ~failing_allocations();
};

} // namespace troupe::testing
