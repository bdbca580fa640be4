#pragma once
// Memory for packed weights.
#include <cstdint>
#include <memory>

namespace troupe {

/// A piece of memory; it keeps the whole that it was cut from alive.
using weight_memory = std::shared_ptr<uint8_t>;

/// `size` bytes of zeros, aligned to a cache line; from some megabytes on to a huge page, which the system is asked to
/// use. Products stream through weights: with small pages the hardware's prefetching stops every 4 KiB, and one thread
/// reads half as fast. So all matrices of a model should share one allocation: a matrix alone is often too small for a
/// huge page. Throws std::bad_alloc.
weight_memory allocate_weights(uint64_t size);

/// The part of `whole` that begins at `offset`.
inline weight_memory cut(const weight_memory& whole, uint64_t offset) { return {whole, whole.get() + offset}; }

} // namespace troupe
