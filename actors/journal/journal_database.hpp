#pragma once
// The file in which kept requests outlive the process: an SQLite database. Plain code: no actor, no clock.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

namespace v1 { // troupe/v1/journal.pb.h
class JournalBatch;
class JournalEvent;
class JournalFound;
class JournalQuery;
class JournalRequest;
} // namespace v1

/// What must survive: the power's loss, so that each commit waits for the disk; or the end of the process only. After a loss of power the
/// file is whole either way; with `process` the last commits may be missing from it.
enum class journal_sync : uint8_t { full, process };

struct journal_options {
  std::filesystem::path folder; // Made if it does not exist.
  journal_sync sync = journal_sync::full;
  std::chrono::seconds retention{24 * 3600}; // How long requests are kept after their end.
  uint64_t bytes_max = 1 << 30;              // Beyond it the requests that ended first are forgotten.
};

/// What was asked of the journal has not been done: the disk is full or broken, or the journal is. what(): for a person.
struct journal_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// One line of a list.
struct journal_line {
  std::string name, path, tenant, key, model;
  int64_t created = 0; // Unix time, seconds.
  std::optional<int64_t> ended;
  uint64_t tokens = 0;
  uint32_t deaths = 0;   // As in JournalRequest.
  bool is_begun = false; // Of one that has not ended: handed to the engine by the process that has the journal, or had it last.
};

/// One process at a time writes a folder's journal; others may list it meanwhile. A process that is killed at any moment leaves all
/// commits it has reported, and nothing of the one that was under way. One thread at a time uses an object.
class journal_database {
public:
  enum class access : uint8_t { write, list };

  /// Opens or makes the folder's journal and checks it. To write it, also counts a death for each request that the last process had begun,
  /// unless that process ended in order. Throws input_error: it is damaged, of another version, used by another process, or cannot be
  /// written.
  explicit journal_database(journal_options options, access how = access::write);
  ~journal_database();
  journal_database(journal_database&&) noexcept;

  /// Writes all of them in one transaction. Events of a request come in order of their numbers, without a gap: what does not follow what
  /// is there, because it was lost before, is left out, and is generated again after a restart. Returns names of requests that were not
  /// admitted, with the reason: bytes_max are taken by others that have not ended. Throws journal_error: then nothing is written.
  std::map<std::string, std::string> write(std::span<const v1::JournalBatch> batches);
  /// A request, and a page of its events: what takes long in all takes several calls. Throws journal_error.
  v1::JournalFound find(const v1::JournalQuery& query);
  /// All that have not ended, with all their events, in the order in which they were admitted. Throws journal_error.
  std::vector<v1::JournalFound> unfinished();
  /// The process is about to end, by none of its requests: this is no death. Throws journal_error.
  void end_in_order();
  /// Name and identity of each model that has requests here. Throws journal_error.
  std::vector<std::pair<std::string, std::string>> models();
  /// Forgets requests whose retention is over at this time, and while there are too many bytes those that ended first; at most `count`.
  /// Returns how many. Throws journal_error.
  size_t forget_old(int64_t now, size_t count = 64);
  /// In the order in which they were admitted. Throws journal_error.
  std::vector<journal_line> list();
  /// Of the file, without what is free in it.
  uint64_t bytes();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
