#include "model/formats/input_file.hpp"
#include "model/error.hpp"
#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace troupe {
namespace {

/// Closes what is not to be kept.
struct descriptor_guard {
  int descriptor;
  ~descriptor_guard() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

} // namespace

void input_file::fail(const char* what, int error) const {
  throw input_error(path_.string() + ": " + what + ": " + std::generic_category().message(error));
}

int input_file::open_descriptor() const {
  // O_NONBLOCK: opening a pipe without a writer must not hang; it is refused.
  const int descriptor = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) fail("cannot open the file", errno);
  return descriptor;
}

input_file::identity input_file::identify(int descriptor) const {
  struct stat facts {};
  if (::fstat(descriptor, &facts) != 0) fail("cannot tell the file's size", errno);
  if (S_ISDIR(facts.st_mode)) fail("cannot read the file", EISDIR);
  if (!S_ISREG(facts.st_mode)) throw input_error(path_.string() + ": not a regular file");
  return {uint64_t(facts.st_dev), uint64_t(facts.st_ino), uint64_t(facts.st_size), int64_t(facts.st_mtim.tv_sec),
          int64_t(facts.st_mtim.tv_nsec)};
}

input_file::input_file(const std::filesystem::path& path, kept between_reads) : path_(path) {
  descriptor_guard opened{open_descriptor()};
  identity_ = identify(opened.descriptor);
  if (between_reads == kept::open) std::swap(descriptor_, opened.descriptor);
}

input_file::~input_file() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void input_file::require_unchanged() const {
  const descriptor_guard again{descriptor_ < 0 ? open_descriptor() : -1};
  if (identify(descriptor_ < 0 ? again.descriptor : descriptor_) != identity_)
    throw input_error(path_.string() + ": the file was changed while it was read");
}

void input_file::read(uint64_t offset, std::span<std::byte> out) const {
  TROUPE_ASSERT(offset <= size() && out.size() <= size() - offset);
  const descriptor_guard again{descriptor_ < 0 ? open_descriptor() : -1};
  const int descriptor = descriptor_ < 0 ? again.descriptor : descriptor_;
  if (descriptor_ < 0 && identify(descriptor) != identity_)
    throw input_error(path_.string() + ": the file was replaced or changed since it was opened");
  while (!out.empty()) {
    const ssize_t count = ::pread(descriptor, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("cannot read the file", errno);
    if (count == 0)
      throw input_error(path_.string() + ": the file was shortened: it has " + std::to_string(identify(descriptor).size) +
                        " bytes now, and had " + std::to_string(size()) + " when it was opened");
    out = out.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
}

} // namespace troupe
