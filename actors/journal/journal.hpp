#pragma once
// The actor that owns the journal: kept requests outlive the process.
#include "actors/journal/journal_database.hpp"
#include <caf/fwd.hpp>
#include <functional>
#include <memory>
#include <string>

namespace troupe {

namespace v1 {
class JournalCommitted;
} // namespace v1

/// Sends the journal what messages/troupe/v1/journal.proto says. The actor has a thread of its own, because it waits for the disk; all
/// batches that came while it did are written in one transaction. Nothing restarts it: a failure is one of a transaction. What could not be
/// written is answered with the reason, requests in it are not taken on, and its events are tried again, as long as they are few. What
/// cannot be read is answered with the reason, too.
class journal {
public:
  /// Called in the journal's thread, in the order of what they answer.
  struct receiver {
    std::function<void(v1::JournalCommitted)> committed;
    std::function<void(v1::JournalFound)> found;
    /// What the log should say: something could not be read or forgotten. Not of transactions, whose answers say it; not twice in a
    /// row for one reason.
    std::function<void(std::string)> failed;
  };

  /// `system` outlives it.
  journal(caf::actor_system& system, journal_database database, receiver answers);
  /// Writes what has been sent, and that the process ends in order; no function is called afterwards.
  ~journal();
  journal(const journal&) = delete;
  journal& operator=(const journal&) = delete;

  // From any thread.
  void write(v1::JournalBatch batch);
  void find(v1::JournalQuery query);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
