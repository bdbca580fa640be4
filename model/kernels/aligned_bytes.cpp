#include "model/kernels/aligned_bytes.hpp"
#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace troupe {

void free_aligned::operator()(uint8_t* bytes) const { std::free(bytes); }

aligned_bytes allocate_aligned(uint64_t size) {
  constexpr uint64_t cache_line = 64, huge_page = 2 << 20;
  const bool is_large = size >= 2 * huge_page;
  const uint64_t alignment = is_large ? huge_page : cache_line;
  const uint64_t rounded = (size + cache_line - 1) / cache_line * cache_line;
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, rounded == 0 ? cache_line : rounded) != 0) throw std::bad_alloc();
#if defined(__linux__)
  if (is_large) madvise(memory, rounded, MADV_HUGEPAGE); // A wish: without it everything still works.
#endif
  return aligned_bytes(static_cast<uint8_t*>(memory));
}

} // namespace troupe
