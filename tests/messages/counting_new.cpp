#include "messages/counting_new.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<int> counted{0};

} // namespace

int troupe::testing::large_allocations() {
  return counted;
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  if (size >= troupe::testing::large_allocation_bytes)
    ++counted;
  return std::malloc(size == 0 ? 1 : size);
}

void* operator new(std::size_t size) {
  if (void* memory = operator new(size, std::nothrow))
    return memory;
  throw std::bad_alloc{};
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
