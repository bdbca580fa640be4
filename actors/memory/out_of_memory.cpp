#include "actors/memory/out_of_memory.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <pthread.h>
#include <thread>
#include <unistd.h>

namespace troupe {
namespace {

std::terminate_handler terminate_otherwise = nullptr;

void write_to_stderr(const char* text) noexcept {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text)); // If it fails, nobody can be told.
}

[[noreturn]] void on_terminate() {
  if (const auto thrown = std::current_exception())
    try {
      std::rethrow_exception(thrown);
    } catch (const std::bad_alloc&) {
      end_out_of_memory();
    } catch (...) {
    }
  if (terminate_otherwise)
    terminate_otherwise();
  std::abort();
}

template <class Attempt>
void* allocate(std::size_t bytes, Attempt attempt) {
  using clock = std::chrono::steady_clock;
  clock::time_point end{};
  for (;;) {
    if (void* block = attempt())
      return block;
    if (const auto handler = std::get_new_handler()) {
      handler();
    } else if (bytes > small_allocation) {
      throw std::bad_alloc();
    } else {
      const auto now = clock::now();
      if (end == clock::time_point{})
        end = now + memory_patience;
      else if (now >= end)
        end_out_of_memory();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

} // namespace

void end_when_out_of_memory() noexcept { terminate_otherwise = std::set_terminate(on_terminate); }

void end_out_of_memory() noexcept {
  static std::atomic<bool> is_ending{false};
  if (!is_ending.exchange(true)) {
    const char* program = std::strrchr(program_invocation_name, '/'); // The C library's: it is there before main() is.
    write_to_stderr(program ? program + 1 : program_invocation_name);
    write_to_stderr(": out of memory\n");
    ::_exit(out_of_memory_exit_code);
  }
  for (;;) // Another thread ends the process.
    ::pause();
}

} // namespace troupe

namespace {

/// A thread_local object that is to be destroyed when its thread ends.
struct thread_object {
  void (*destroy)(void*);
  void* object;
  thread_object* before;
};
thread_local thread_object* newest = nullptr;

void destroy_thread_objects(void*) {
  while (auto* one = newest) {
    newest = one->before;
    one->destroy(one->object);
    delete one;
  }
}

} // namespace

/// What a compiler calls to have a thread_local object destroyed, in place of the function of the standard library: that one asks glibc,
/// which ends the process by a signal when it gets no memory to note it in. Objects of the main thread are not destroyed, and
/// libraries that have such objects must not be unloaded.
extern "C" int __cxa_thread_atexit(void (*destroy)(void*), void* object, void*) noexcept {
  static const auto key = [] {
    pthread_key_t made;
    if (pthread_key_create(&made, destroy_thread_objects) != 0)
      troupe::end_out_of_memory();
    return made;
  }();
  newest = new thread_object{destroy, object, newest};
  if (pthread_setspecific(key, newest) != 0)
    troupe::end_out_of_memory();
  return 0;
}

// All forms: a sanitizer brings its own for those that are left out, and reports an error when the two are mixed.
using std::align_val_t, std::nothrow_t, std::size_t;

void* operator new(size_t bytes) {
  return troupe::allocate(bytes, [=] { return std::malloc(bytes == 0 ? 1 : bytes); });
}

void* operator new(size_t bytes, align_val_t alignment) {
  const auto unit = static_cast<size_t>(alignment);
  const auto rounded = bytes == 0 ? unit : (bytes + unit - 1) / unit * unit; // As aligned_alloc wants it; too large for it: 0.
  return troupe::allocate(bytes, [=] { return rounded < bytes ? nullptr : std::aligned_alloc(unit, rounded); });
}

void* operator new(size_t bytes, const nothrow_t&) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* operator new(size_t bytes, align_val_t alignment, const nothrow_t&) noexcept {
  try {
    return operator new(bytes, alignment);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* operator new[](size_t bytes) { return operator new(bytes); }
void* operator new[](size_t bytes, align_val_t alignment) { return operator new(bytes, alignment); }
void* operator new[](size_t bytes, const nothrow_t& never) noexcept { return operator new(bytes, never); }
void* operator new[](size_t bytes, align_val_t alignment, const nothrow_t& never) noexcept { return operator new(bytes, alignment, never); }

void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }
void operator delete(void* block, align_val_t) noexcept { std::free(block); }
void operator delete(void* block, size_t, align_val_t) noexcept { std::free(block); }
void operator delete(void* block, const nothrow_t&) noexcept { std::free(block); }
void operator delete(void* block, align_val_t, const nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block) noexcept { std::free(block); }
void operator delete[](void* block, size_t) noexcept { std::free(block); }
void operator delete[](void* block, align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, size_t, align_val_t) noexcept { std::free(block); }
void operator delete[](void* block, const nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, align_val_t, const nothrow_t&) noexcept { std::free(block); }
