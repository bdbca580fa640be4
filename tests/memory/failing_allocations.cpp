// A library for LD_PRELOAD that makes allocations of a program fail: its own, and those of the libraries that it uses. All that go
// through malloc and its relatives are numbered, from 1, in the order in which they come; so are anonymous mappings.
//
//   TROUPE_FAIL_AT=n        the n-th fails (none if it is not given),
//   TROUPE_FAIL_ON=1        and all after it,
//   TROUPE_FAIL_BYTES=size  only those of at least `size` bytes count,
//   TROUPE_FAIL_COUNT=file  where to write, when the program ends by itself, how many there were, and how many blocks are still there.
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

// What glibc calls its own functions; they do not need to be looked up, which would allocate.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace {

unsigned long number_of(const char* variable) {
  const char* text = std::getenv(variable);
  return text ? std::strtoul(text, nullptr, 10) : 0;
}

// Before the constructor below has run, which is long before main(), nothing counts.
bool is_on = false, goes_on = false;
unsigned long fail_at = 0, bytes_min = 0;
std::atomic<unsigned long> count{0};
std::atomic<long> blocks{0};

void* counted(void* block) {
  if (block)
    blocks.fetch_add(1, std::memory_order_relaxed);
  return block;
}

bool fails(size_t bytes) {
  if (!is_on || bytes < bytes_min)
    return false;
  const auto number = count.fetch_add(1, std::memory_order_relaxed) + 1;
  if (fail_at == 0 || number < fail_at || (number > fail_at && !goes_on))
    return false;
  errno = ENOMEM;
  return true;
}

[[gnu::constructor]] void begin() {
  fail_at = number_of("TROUPE_FAIL_AT");
  goes_on = number_of("TROUPE_FAIL_ON") != 0;
  bytes_min = number_of("TROUPE_FAIL_BYTES");
  is_on = true;
}

[[gnu::destructor]] void end() {
  const char* file = std::getenv("TROUPE_FAIL_COUNT");
  const int descriptor = file ? ::open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
  if (descriptor < 0)
    return;
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%lu %ld\n", count.load(), blocks.load());
  [[maybe_unused]] const auto written = ::write(descriptor, text, static_cast<size_t>(length));
  ::close(descriptor);
}

} // namespace

extern "C" {

[[gnu::visibility("default")]] void* malloc(size_t bytes) { return fails(bytes) ? nullptr : counted(__libc_malloc(bytes)); }

[[gnu::visibility("default")]] void* calloc(size_t number, size_t bytes) {
  return fails(number * bytes) ? nullptr : counted(__libc_calloc(number, bytes));
}

[[gnu::visibility("default")]] void* realloc(void* block, size_t bytes) {
  if (fails(bytes))
    return nullptr;
  return block ? __libc_realloc(block, bytes) : counted(__libc_realloc(block, bytes));
}

[[gnu::visibility("default")]] void free(void* block) {
  if (block)
    blocks.fetch_sub(1, std::memory_order_relaxed);
  __libc_free(block);
}

[[gnu::visibility("default")]] void* aligned_alloc(size_t alignment, size_t bytes) {
  return fails(bytes) ? nullptr : counted(__libc_memalign(alignment, bytes));
}

[[gnu::visibility("default")]] int posix_memalign(void** block, size_t alignment, size_t bytes) {
  if (fails(bytes))
    return ENOMEM;
  *block = counted(__libc_memalign(alignment, bytes));
  return *block ? 0 : ENOMEM;
}

[[gnu::visibility("default")]] void* mmap(void* at, size_t bytes, int protection, int flags, int descriptor, off_t offset) noexcept {
  if ((flags & MAP_ANONYMOUS) != 0 && fails(bytes))
    return MAP_FAILED;
  return reinterpret_cast<void*>(::syscall(SYS_mmap, at, bytes, protection, flags, descriptor, offset));
}

} // extern "C"
