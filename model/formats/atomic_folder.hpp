#pragma once
// A folder that appears under its name only once all of it is complete and on the disk.
#include <filesystem>
#include <functional>

namespace troupe {

/// Makes a folder under a temporary name beside `path`, "NAME.partial-PROCESS-NUMBER", which whoever has this fills.
/// Until commit() returns there is nothing under `path`, also if the process is killed or the machine stops (then the
/// temporary folder stays behind). Does not replace a folder that exists. Not thread-safe.
class atomic_folder {
public:
  /// Throws input_error, as every function here, with the path and the reason: `path` exists, no folder to make it in, ...
  explicit atomic_folder(std::filesystem::path path);
  /// Without a commit() that returned: removes the temporary folder with all that is in it.
  ~atomic_folder();
  atomic_folder(const atomic_folder&) = delete;
  atomic_folder& operator=(const atomic_folder&) = delete;

  /// The temporary folder, to be filled.
  const std::filesystem::path& partial() const { return partial_; }

  /// All that is in it to the disk, then the name, then the parent folder to the disk. Once only.
  /// before_rename: for tests, which let it throw where a process might be killed.
  void commit(const std::function<void()>& before_rename = {});

private:
  std::filesystem::path path_, partial_;
  bool is_committed_ = false;
};

} // namespace troupe
