#include "actors/journal/journal.hpp"

#include "messages/caf_message.hpp"
#include "troupe/v1/journal.pb.h"

#include <algorithm>
#include <caf/all.hpp>
#include <chrono>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

namespace troupe {
namespace {

using namespace std::chrono_literals;

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// What the actor owns, and what it does at each message.
class writer {
public:
  writer(journal_database database, journal::receiver answers) : database_(std::move(database)), answers_(std::move(answers)) {}

  void take(v1::JournalBatch& batch) { waiting_.push_back(std::move(batch)); }

  /// is_last: there is no later one.
  void commit(bool is_last = false) {
    const size_t tried_before = batches_.size();
    std::ranges::move(waiting_, std::back_inserter(batches_));
    waiting_.clear();
    if (batches_.empty()) return;
    std::map<std::string, std::string> refused;
    if (is_last || tried_before == 0 || std::chrono::steady_clock::now() >= next_try_) try {
        refused = database_->write(batches_);
        error_.clear();
      } catch (const std::exception& reason) {
        error_ = reason.what();
        next_try_ = std::chrono::steady_clock::now() + 1s;
      }
    for (size_t i = tried_before; i < batches_.size(); ++i) answers_.committed(answer(batches_[i], refused));
    if (error_.empty()) batches_.clear();
    else keep_unwritten(tried_before);
  }

  void find(const v1::JournalQuery& query) {
    commit();
    v1::JournalFound found;
    try {
      found = database_->find(query);
    } catch (const std::exception& reason) {
      found.Clear();
      found.set_number(query.number());
      found.set_error(reason.what());
      report("a request cannot be looked up", reason);
    }
    answers_.found(std::move(found));
  }

  /// Now and then.
  void forget_old() {
    const auto now = unix_time();
    if (now < next_forgetting_) return;
    size_t forgotten = 0;
    try {
      forgotten = database_->forget_old(now);
    } catch (const std::exception& reason) { // Once more later.
      report("what is old cannot be forgotten", reason);
    }
    next_forgetting_ = now + (forgotten > 0 ? 1 : 10);
  }

  bool has_unwritten() const { return !batches_.empty(); }
  /// Others may open it from now on.
  void close() {
    try {
      database_->end_in_order();
    } catch (const std::exception& reason) { // Then it counts as a death, which a request has to share in ten times to be given up.
      report("it cannot be closed", reason);
    }
    database_.reset();
  }

private:
  v1::JournalCommitted answer(const v1::JournalBatch& to, const std::map<std::string, std::string>& refused) const {
    v1::JournalCommitted made;
    made.set_number(to.number());
    made.set_error(error_);
    for (const auto& one : to.admitted())
      if (const auto found = refused.find(one.name()); found != refused.end()) {
        auto& refusal = *made.add_refused();
        refusal.set_request(found->first);
        refusal.set_reason(found->second);
      }
    return made;
  }

  void report(const std::string& what, const std::exception& reason) {
    if (std::exchange(reported_[what], reason.what()) != reason.what()) answers_.failed(what + ": " + reason.what());
  }

  /// Events that follow those which are lost would never be written: what they belong to is generated again after a restart.
  void keep_unwritten(size_t first) {
    constexpr size_t bytes_max = 64 << 20;
    for (size_t i = first; i < batches_.size(); ++i) {
      batches_[i].clear_admitted(); // Whoever asked has been refused,
      batches_[i].clear_forgotten(); // here, too.
      unwritten_bytes_ = (i == 0 ? 0 : unwritten_bytes_) + batches_[i].SpaceUsedLong();
    }
    if (unwritten_bytes_ > bytes_max) batches_.clear();
  }

  std::optional<journal_database> database_; // None once it is closed.
  journal::receiver answers_;
  std::vector<v1::JournalBatch> waiting_; // For the next transaction;
  std::vector<v1::JournalBatch> batches_; // and those that could not be written, not longer than unwritten_bytes_.
  size_t unwritten_bytes_ = 0;
  std::string error_; // Of the last transaction; empty: there was none.
  std::map<std::string, std::string> reported_; // The last reason, by what cannot be done.
  std::chrono::steady_clock::time_point next_try_; // Of those that could not be written.
  int64_t next_forgetting_ = 0;
};

void run(caf::blocking_actor* self, const std::shared_ptr<writer>& writes) {
  bool is_over = false;
  const auto receive = [&](std::chrono::milliseconds timeout) {
    self->receive([&](v1::JournalBatch& batch) { writes->take(batch); }, [&](const v1::JournalQuery& query) { writes->find(query); },
                  [&](const caf::exit_msg&) { is_over = true; }, caf::after(timeout) >> [] {});
  };
  while (!is_over) {
    receive(writes->has_unwritten() ? 1s : 10s);
    while (!self->mailbox().empty()) receive(0ms); // The order to end overtakes what was sent before it.
    writes->commit(is_over);
    writes->forget_old();
  }
  writes->close(); // The actor's memory may outlive it.
}

} // namespace

struct journal::state {
  state(caf::actor_system& of, journal_database database, receiver answers)
    : system(of), handle(of.spawn<caf::detached>(run, std::make_shared<writer>(std::move(database), std::move(answers)))) {}
  ~state() {
    const caf::scoped_actor self{system};
    self->send_exit(handle, caf::exit_reason::user_shutdown);
    self->wait_for(handle);
  }
  caf::actor_system& system;
  caf::actor handle;
};

journal::journal(caf::actor_system& system, journal_database database, receiver answers)
  : state_(std::make_unique<state>(system, std::move(database), std::move(answers))) {}
journal::~journal() = default;

void journal::write(v1::JournalBatch batch) { caf::anon_send(state_->handle, std::move(batch)); }
void journal::find(v1::JournalQuery query) { caf::anon_send(state_->handle, std::move(query)); }

} // namespace troupe
