#include "model/formats/mapped_file.hpp"
#include "model/error.hpp"
#include <cerrno>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace troupe {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const char* what, int error) {
  throw input_error(path.string() + ": " + what + ": " + std::generic_category().message(error));
}

/// Closes the descriptor; the mapping outlives it.
struct descriptor {
  int number;
  ~descriptor() {
    if (number >= 0) ::close(number);
  }
};

} // namespace

mapped_file::mapped_file(const std::filesystem::path& path) : path_(path) {
  // O_NONBLOCK: opening a pipe without a writer must not hang; it is refused below.
  const descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.number < 0) fail(path, "cannot open the file", errno);
  struct stat facts {};
  if (::fstat(file.number, &facts) != 0) fail(path, "cannot tell the file's size", errno);
  if (S_ISDIR(facts.st_mode)) fail(path, "cannot read the file", EISDIR);
  if (!S_ISREG(facts.st_mode)) throw input_error(path.string() + ": not a regular file");
  size_ = static_cast<size_t>(facts.st_size);
  if (size_ == 0) return; // mmap refuses a length of 0.
  void* data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (data == MAP_FAILED) fail(path, "cannot map the file", errno);
  data_ = static_cast<const std::byte*>(data);
}

mapped_file::~mapped_file() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

bool mapped_file::contains(std::span<const std::byte> part) const {
  const auto first = reinterpret_cast<uintptr_t>(data_), begin = reinterpret_cast<uintptr_t>(part.data());
  return begin >= first && begin - first <= size_ && part.size() <= size_ - (begin - first);
}

void mapped_file::release(std::span<const std::byte> part) const {
  if (part.empty()) return;
  const auto page = uintptr_t(::sysconf(_SC_PAGESIZE)); // Whole pages only; neighbours may share the others.
  const auto first = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const auto last = reinterpret_cast<uintptr_t>(part.data() + part.size()) / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

} // namespace troupe
