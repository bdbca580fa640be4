#include "support/allocations.hpp"
#include <algorithm>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

thread_local int64_t held = 0, peak = 0;
thread_local uint64_t allocations = 0;

} // namespace

// The other forms of new and delete, except those for over-aligned types, come down to these two.
void* operator new(std::size_t size) {
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  held += int64_t(malloc_usable_size(block));
  peak = std::max(peak, held);
  ++allocations;
  return block;
}

void operator delete(void* block) noexcept {
  if (block != nullptr) held -= int64_t(malloc_usable_size(block));
  std::free(block);
}

void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace troupe::testing {

allocation_count::allocation_count() : held_before_(held), allocations_before_(::allocations) { peak = held; }

uint64_t allocation_count::allocations() const { return ::allocations - allocations_before_; }

uint64_t allocation_count::peak_bytes() const { return uint64_t(peak - held_before_); }

} // namespace troupe::testing
