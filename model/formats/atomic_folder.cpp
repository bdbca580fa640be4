#include "model/formats/atomic_folder.hpp"
#include "model/error.hpp"
#include "model/formats/atomic_file.hpp"
#include <cerrno>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace troupe {
namespace {

[[noreturn]] void fail_folder(const std::filesystem::path& path, const std::string& what) {
  throw input_error(path.string() + ": " + what);
}

void refuse_existing(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored)))
    fail_folder(path, "exists already");
}

} // namespace

atomic_folder::atomic_folder(std::filesystem::path path)
    : path_(path.has_filename() ? std::move(path) : path.parent_path()) {
  refuse_existing(path_);
  const std::string beginning = path_.string() + ".partial-" + std::to_string(::getpid()) + "-";
  for (uint64_t number = 0; partial_.empty(); ++number) {
    // A number that is taken may be of a process of the same id that was killed.
    const std::string name = beginning + std::to_string(number);
    if (::mkdir(name.c_str(), 0777) == 0) {
      partial_ = name;
    } else if (errno != EEXIST) {
      fail_folder(path_, "cannot create the folder: " + std::generic_category().message(errno));
    }
  }
}

atomic_folder::~atomic_folder() {
  if (is_committed_) return;
  std::error_code ignored;
  std::filesystem::remove_all(partial_, ignored);
}

void atomic_folder::commit(const std::function<void()>& before_rename) {
  TROUPE_ASSERT(!is_committed_);
  std::error_code error;
  std::filesystem::recursive_directory_iterator all(partial_, error);
  for (; !error && all != std::filesystem::recursive_directory_iterator(); all.increment(error))
    sync_to_disk(all->path());
  if (error) fail_folder(partial_, "cannot read the folder: " + error.message());
  sync_to_disk(partial_);
  if (before_rename) before_rename();
  refuse_existing(path_);
  std::filesystem::rename(partial_, path_, error);
  if (error) fail_folder(path_, "cannot give the folder its name: " + error.message());
  is_committed_ = true;
  sync_to_disk(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

} // namespace troupe
