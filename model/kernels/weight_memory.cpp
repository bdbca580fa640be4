#include "model/kernels/weight_memory.hpp"
#include <new>
#include <sys/mman.h>

namespace troupe {

weight_memory allocate_weights(uint64_t size) {
  // Straight from the system: what malloc hands out again may be in small pages already.
  constexpr uint64_t huge_page = 2 << 20;
  const uint64_t mapped = size + (size >= 2 * huge_page ? huge_page : 1); // 1: no mapping may be empty.
  void* start = mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (start == MAP_FAILED) throw std::bad_alloc();
  const weight_memory whole(static_cast<uint8_t*>(start), [mapped](uint8_t* bytes) { munmap(bytes, mapped); });
  if (size < 2 * huge_page) return whole;
  const uint64_t offset = -reinterpret_cast<uintptr_t>(start) % huge_page;
#if defined(MADV_HUGEPAGE)
  madvise(whole.get() + offset, size, MADV_HUGEPAGE); // A hint: without it everything still works.
#endif
  return cut(whole, offset);
}

} // namespace troupe
