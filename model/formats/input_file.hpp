#pragma once
// A file that is read piece by piece. Nothing is mapped: somebody else may shorten a file at any time, and a disk may fail, and a
// mapping would end the process then.
#include "model/stored_tensor.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace troupe {

/// A regular file, as long as it was when it was opened. Thread-safe.
class input_file final : public byte_source {
public:
  /// open: between two reads the file stays open, so that it may be replaced by another under its name. closed: it is opened for each
  /// read, and is an error if it was replaced; for files of which there may be more than can be open at once.
  enum class kept : uint8_t { open, closed };

  /// Throws input_error, with the path and the system's reason, when `path` is not a readable regular file.
  explicit input_file(const std::filesystem::path& path, kept between_reads = kept::open);
  ~input_file() override;
  input_file(const input_file&) = delete;
  input_file& operator=(const input_file&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::string name() const override { return path_.string(); }
  uint64_t size() const override { return identity_.size; }
  void read(uint64_t offset, std::span<std::byte> out) const override;
  /// Throws input_error when the file was written to since it was opened, or has another length: then what was read in pieces may not
  /// belong together.
  void require_unchanged() const;

private:
  /// What tells a file from another one, and from itself after it was written to.
  struct identity {
    uint64_t device, inode, size;
    int64_t seconds, nanoseconds; // When it was last written to.
    bool operator==(const identity&) const = default;
  };
  [[noreturn]] void fail(const char* what, int error) const;
  int open_descriptor() const;
  identity identify(int descriptor) const;

  std::filesystem::path path_;
  int descriptor_ = -1; // -1: kept closed.
  identity identity_{};
};

} // namespace troupe
