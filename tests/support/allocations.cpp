#include "support/allocations.hpp"
#include <algorithm>
#include <cstdlib>
#include <malloc.h>
#include <new>

namespace {

thread_local int64_t held = 0, peak = 0;
thread_local uint64_t allocations = 0, large_allocations = 0, large_from = UINT64_MAX, failing = UINT64_MAX;

} // namespace

// All forms except those for over-aligned types: a sanitizer brings its own for forms that are left out here,
// and reports an error when the two are mixed.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (size == failing) return nullptr;
  void* block = std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) return nullptr;
  held += int64_t(malloc_usable_size(block));
  peak = std::max(peak, held);
  ++allocations;
  if (size >= large_from) ++large_allocations;
  return block;
}

void* operator new(std::size_t size) {
  void* block = operator new(size, std::nothrow);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void operator delete(void* block) noexcept {
  if (block != nullptr) held -= int64_t(malloc_usable_size(block));
  std::free(block);
}

void* operator new[](std::size_t size) { return operator new(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return operator new(size, std::nothrow);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { operator delete(block); }
void operator delete[](void* block) noexcept { operator delete(block); }
void operator delete[](void* block, std::size_t) noexcept { operator delete(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { operator delete(block); }

namespace troupe::testing {

allocation_count::allocation_count(uint64_t large)
    : held_before_(held), allocations_before_(::allocations), large_before_(::large_allocations) {
  peak = held;
  large_from = large;
}

uint64_t allocation_count::allocations() const { return ::allocations - allocations_before_; }

uint64_t allocation_count::large_allocations() const { return ::large_allocations - large_before_; }

uint64_t allocation_count::peak_bytes() const { return uint64_t(peak - held_before_); }

failing_allocations::failing_allocations(uint64_t bytes) { failing = bytes; }
failing_allocations::~failing_allocations() { failing = UINT64_MAX; }

} // namespace troupe::testing
