#pragma once
// Where tests keep journals.
#include "actors/journal/journal_database.hpp"
#include <filesystem>
#include <string>
#include <unistd.h>

namespace troupe {

/// A folder that is removed with everything in it.
struct journal_folder {
  journal_folder() : path(std::filesystem::temp_directory_path() / ("troupe_journal_" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path);
  }
  ~journal_folder() { std::filesystem::remove_all(path); }
  journal_options options(journal_sync sync = journal_sync::full) const {
    journal_options made;
    made.folder = path;
    made.sync = sync;
    return made;
  }
  std::filesystem::path file() const { return path / "journal.sqlite3"; }
  const std::filesystem::path path;
};

} // namespace troupe
