#include "model/formats/atomic_file.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

namespace troupe {

namespace {
constexpr size_t atomic_file_buffer_bytes = size_t(1) << 20;
}

atomic_file::atomic_file(std::filesystem::path path, unsigned permissions) : path_(std::move(path)) {
  // The process's id in the name: two processes that write the same file do not write into each other's.
  partial_ = path_.string() + "." + std::to_string(::getpid()) + ".partial";
  ::unlink(partial_.c_str()); // Left behind by a process of the same id that was killed.
  descriptor_ = ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions);
  if (descriptor_ < 0) fail("cannot create the file");
}

atomic_file::~atomic_file() {
  close();
  if (!is_committed_) ::unlink(partial_.c_str());
}

void atomic_file::close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
}

void atomic_file::fail(const char* what) const {
  throw input_error(path_.string() + ": " + what + ": " + std::generic_category().message(errno));
}

void atomic_file::write_all(std::span<const std::byte> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = ENOSPC;
    if (count <= 0) fail("cannot write the file");
    bytes = bytes.subspan(static_cast<size_t>(count));
    offset += static_cast<uint64_t>(count);
  }
}

void atomic_file::flush() {
  write_all(buffer_, written_);
  written_ += buffer_.size();
  buffer_.clear();
}

void atomic_file::write(std::span<const std::byte> bytes) {
  TROUPE_ASSERT(descriptor_ >= 0);
  if (buffer_.size() + bytes.size() > atomic_file_buffer_bytes) flush();
  if (bytes.size() > atomic_file_buffer_bytes) {
    write_all(bytes, written_);
    written_ += bytes.size();
  } else {
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }
}

void atomic_file::overwrite(uint64_t offset, std::span<const std::byte> bytes) {
  TROUPE_ASSERT(descriptor_ >= 0);
  flush();
  TROUPE_ASSERT(offset + bytes.size() <= written_);
  write_all(bytes, offset);
}

void atomic_file::commit(const std::function<void()>& before_rename) {
  TROUPE_ASSERT(descriptor_ >= 0);
  flush();
  if (::fsync(descriptor_) != 0) fail("cannot bring the file to the disk");
  const int descriptor = descriptor_;
  descriptor_ = -1;
  if (::close(descriptor) != 0) fail("cannot write the file");
  if (before_rename) before_rename();
  if (::rename(partial_.c_str(), path_.c_str()) != 0) fail("cannot give the file its name");
  is_committed_ = true;
  sync_to_disk(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

void sync_to_disk(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Some file systems know no fsync of a folder (EINVAL): then its names are as durable as they can make them.
  const bool is_synced = descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!is_synced) {
    throw input_error(path.string() +
                      ": cannot bring this to the disk: " + std::generic_category().message(error));
  }
}

} // namespace troupe
