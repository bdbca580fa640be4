#pragma once
// Memory for packed weights.
#include <cstddef>
#include <cstdint>
#include <memory>

namespace troupe {

struct free_aligned {
  void operator()(uint8_t* bytes) const;
};

/// Uninitialised bytes, aligned to a cache line; from some megabytes on to a huge page, which the system is
/// asked to use: products stream through weights, and small pages would cost a miss of the address cache
/// every 4 KiB.
using aligned_bytes = std::unique_ptr<uint8_t[], free_aligned>;
aligned_bytes allocate_aligned(uint64_t size);

} // namespace troupe
