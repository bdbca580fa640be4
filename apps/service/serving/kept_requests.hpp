#pragma once
// Requests that go on without the client that sent them, and with a journal without this process: their answer can be asked for again.
//
// A client asks for it with an Idempotency-Key (draft-ietf-httpapi-idempotency-key-header), or with `background` of the Responses API. A
// second request with the same key and body gets the same answer, whether it is still being made or not; a stream begins anew, or behind
// the event that the header Last-Event-ID names. With the same key and another body it is refused (422). Keys are a tenant's.
//
// With a journal, nothing of such a request reaches a client before it is in the journal: neither that it was taken on, nor any token.
// Other requests never wait for it. After a restart an endpoint reads the journaled body again, with the same drawn facts; what tokens
// there are in the journal come first, as if they had just been generated, and the model goes on behind them: so all events are the same,
// byte for byte.
#include "actors/journal/journal.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/context.hpp"
#include "apps/service/serving/restart_order.hpp"
#include "troupe/v1/journal.pb.h"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

/// The answer to a POST with this body.
using body_endpoint = void (*)(call& of, const json_node& body);

struct kept_request {
  v1::JournalRequest facts;
  std::shared_ptr<answer_log> log;
  std::weak_ptr<generation> running;
  std::vector<event_keeper::kept_event> before; // Read back from the journal, until it has started.
  uint32_t events = 0;                          // In the journal, or on their way there.
  size_t unfinished = 0;                        // Choices whose end is still to come.
  bool is_restored = false;                     // It was read back,
  bool is_held = false;                         // and goes on when its turn comes.
  std::shared_ptr<generation> held;             // Until then.
  bool is_over = false;
  std::vector<std::function<void(const api_error* failure)>> waiting; // For its end in the journal.
  uint64_t bytes = 0;                           // Once it is over.
};

class kept_requests {
public:
  struct options {
    std::function<body_endpoint(const std::string& path)> endpoint; // Null: there is none.
    std::function<caller(const std::string& tenant)> caller_of;     // As it is known now.
    std::function<bool(const std::string& id, const caller& who)> has_response; // In memory.
    std::function<void(const std::string&)> warn;
  };
  kept_requests(context& in, options with);
  ~kept_requests();

  /// From now on requests are journaled, and those that have not ended go on. Throws input_error for a journal of other models.
  void use(journal_database database);
  bool has_journal() const { return journal_ != nullptr; }

  /// Answers a POST to an endpoint that generates: kept or not, new or repeated.
  void answer(call of, body_endpoint endpoint);
  /// Calls `then` when the response of this name, if there is one that this caller may see, is in memory: at once, if it is already.
  void load(const call& of, const std::string& id, std::function<void()> then);
  /// Forgets a response. Then calls `done`; with why not, if it is still in the journal.
  void forget(const std::string& id, std::function<void(const api_error* failure)> done);

  /// Its prompt is being made: requests with the same key wait until prepared() says that it has been, whatever came of it.
  void prepares(const kept_request& one);
  void check_prepared() const; // Throws api_error if it may not begin any more.
  void prepared(const kept_request& one);
  /// What start() puts between a generation and its events.
  event_keeper keeper(const std::shared_ptr<kept_request>& of);
  void started(const std::shared_ptr<kept_request>& one, const std::shared_ptr<generation>& running);
  void ended(const std::shared_ptr<kept_request>& one, const api_error* failure);

  /// Calls `done` when its end is in the journal, at once where there is none; with why not, if it cannot be written.
  void when_over(const std::shared_ptr<kept_request>& one, std::function<void(const api_error* failure)> done);

  /// Choices under way, in engines, that a journal lets go on after the process.
  size_t under_way() const { return under_way_; }
  /// Nothing new may begin: an earlier process may have died of one that is tried now.
  bool tries_suspects() const { return order_.suspects() > 0; }
  /// The process ends: breaks the connections of readers of what is under way.
  void disconnect();

private:
  struct post;
  struct sent_batch {
    uint64_t number = 0;
    std::vector<std::shared_ptr<kept_request>> admitted;
    std::vector<std::shared_ptr<kept_request>> begun;
    struct kept_event {
      std::shared_ptr<kept_request> one;
      std::shared_ptr<generation> of;
      event_keeper::kept_event what;
    };
    std::vector<kept_event> events; // For when it is committed.
    std::vector<std::function<void(const api_error* failure)>> forgotten;
  };
  using when_found = std::function<void(v1::JournalFound&)>;

  void warn(const std::string& what) const;
  std::shared_ptr<kept_request> find_key(const std::string& tenant, const std::string& key) const;
  using found_pages = std::shared_ptr<std::vector<v1::JournalFound>>;
  void look_up(v1::JournalQuery query, when_found then, found_pages before = nullptr);
  std::shared_ptr<kept_request> restore(v1::JournalFound& found, bool is_held = false);
  void repeat(post& asked, kept_request& of);
  void load_previous(const std::shared_ptr<post>& asked);
  void begin(const std::shared_ptr<post>& from);
  void remember(const std::shared_ptr<kept_request>& one);
  void remove(const std::string& name);
  void forget_name(const std::string& name, std::function<void(const api_error* failure)> done);
  void keep(const std::shared_ptr<kept_request>& one, const std::shared_ptr<generation>& of, size_t choice, generation_event&& event);
  void end_without_answer(const std::shared_ptr<kept_request>& one, const std::string& error);
  void begin_next();
  void begin_held(const std::shared_ptr<kept_request>& one);
  void passed(const std::string& name);
  void flush_soon();
  void flush();
  void committed(const v1::JournalCommitted& answer);

  context& in_;
  options with_;
  std::map<std::string, std::shared_ptr<kept_request>> by_name_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<kept_request>> by_key_; // Tenant and key.
  std::map<std::pair<std::string, std::string>, std::vector<std::shared_ptr<post>>> waiting_; // Tenant and key of those that are prepared.
  std::deque<std::string> ended_; // Names, in the order of their ends.
  uint64_t ended_bytes_ = 0;
  size_t under_way_ = 0;
  restart_order order_; // Of those that were read back and have not begun.

  std::map<std::string, std::string> identities_; // By the model's name.
  v1::JournalBatch batch_;                        // The next one,
  sent_batch next_;                               // and what waits for it.
  std::deque<sent_batch> sent_;
  std::deque<when_found> asked_;
  uint64_t batches_ = 0;
  bool flushes_ = false;
  http::timer flush_timer_;
  std::string failure_; // Of the last batch; empty: it was committed.
  std::unique_ptr<journal> journal_; // Last: its thread ends first.
};

} // namespace troupe::service
