#pragma once
// A file that appears under its name only once it is complete and on the disk.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

namespace troupe {

/// Writes to a temporary name in the same folder, "NAME.PROCESS.partial". Until commit() returns, whatever was under
/// `path` before is still there, whole, also if the process is killed or the machine stops. Not thread-safe.
class atomic_file {
public:
  /// Throws input_error, as every function here, with the path and the system's reason: no such folder, disk full, ...
  /// permissions: who may read and write the file from its first byte on, less what the umask forbids.
  explicit atomic_file(std::filesystem::path path, unsigned permissions = 0666);
  /// Without a commit() that returned: removes what was written.
  ~atomic_file();
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  void write(std::span<const std::byte> bytes); // Appends.
  /// Over what was appended before: for a header whose content is known only at the end.
  void overwrite(uint64_t offset, std::span<const std::byte> bytes);
  /// To the disk, then the name, then the folder to the disk. Once only, nothing after it.
  /// before_rename: for tests, which let it throw where a process might be killed.
  void commit(const std::function<void()>& before_rename = {});

private:
  void flush();
  void write_all(std::span<const std::byte> bytes, uint64_t offset);
  void close();
  [[noreturn]] void fail(const char* what) const;

  std::filesystem::path path_, partial_;
  int descriptor_ = -1;
  bool is_committed_ = false;
  uint64_t written_ = 0; // Bytes that the system has.
  std::vector<std::byte> buffer_;
};

/// Brings what a file holds, or the names in a folder, to the disk. Throws input_error.
void sync_to_disk(const std::filesystem::path& path);

} // namespace troupe
