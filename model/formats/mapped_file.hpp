#pragma once
// A file as a span of bytes, without reading it.
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

namespace troupe {

/// A file mapped read-only for as long as this object exists. Pages come from the file on first use, so a file
/// on a disk that fails, or one that is shortened meanwhile, ends the process: replace model files by
/// renaming, not in place.
class mapped_file {
public:
  /// Throws input_error, with the path and the system's reason, when `path` is not a readable regular file.
  explicit mapped_file(const std::filesystem::path& path);
  ~mapped_file();
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  /// Whether `part` lies within bytes().
  bool contains(std::span<const std::byte> part) const;
  /// These bytes, a part of bytes(), will hardly be needed again: they stop counting as memory of this process. Reading
  /// them all the same brings them back from the file.
  void release(std::span<const std::byte> part) const;

private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr; // Null for an empty file.
  size_t size_ = 0;
};

} // namespace troupe
