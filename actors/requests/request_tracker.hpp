#pragma once
// What a client knows about its requests, and what it does at each message: the state behind troupe::client.
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/roles.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/requests/generation.hpp"
#include "actors/requests/sequences.hpp"
#include "actors/supervision/liveness.hpp"
#include "actors/supervision/running_time.hpp"
#include "model/parts.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <caf/all.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// What a client needs of its engine. `system` and the actors below `root` outlive the client.
struct client_connection {
  caf::actor_system& system;
  root_actor root;
  std::shared_ptr<const model_parts> model;
  std::shared_ptr<const tokenizer> words; // Null: a model without a vocabulary.
  log_function log = {};
};

/// Who gets the events of one request, where they are not for all requests of a client alike. Used by the thread of the tracker only.
struct event_listener {
  virtual ~event_listener() = default;
  virtual void begin() = 0; // The request has been submitted.
  virtual void on_event(generation_event event) = 0;
};
/// It travels beside its request, within the process.
struct request_listener {
  std::shared_ptr<event_listener> listener;
};

/// The message for a request that comes `now`. Throws input_error for one that this model can never serve.
v1::GenerateRequest to_message(generate_request request, const model_parts& model, caf::actor_clock::time_point now);

/// Keeps every unfinished request with the tokens received so far, so that it can be sent again from there when the sequence
/// that serves it is lost, or the supervisor of sequences with which it waits. Every actor below the root may be lost at any moment.
///
/// When nothing was received for a request for liveness_silence, it sends a liveness check to the request's sequence and to the
/// root, which passes it down to all other supervisors (actors/supervision/liveness.hpp); then again after twice that time, and
/// so on up to patience_max. All requests that have no sequence count as one in this. A sequence that does not reply counts as lost,
/// like one that ended, and is reported to its supervisor. For this the tracker sends itself a ClientTick while requests are under way.
///
/// What was sent may get lost, or the first answer to it. Until it is heard that a request waits, runs or is refused, it is sent once
/// more after ask_after_first, then after twice that time, up to ask_after_max.
///
/// When a request's sequence ends because it got no memory, the request is sent again after a pause, which becomes twice as long each
/// time. When that happens memory_failures_max times in a row without a token in between, the request ends with an error; so it does
/// when its sequences end by exceptions exceptions_max times in a row: whatever it is that they cannot handle, others are not to wait for it.
///
/// Cost: O(log n) for each message, with n requests; a tick, as many times that as there are requests with a sequence.
///
/// Works through a scoped_actor's mailbox, in the thread that calls `receive`.
class request_tracker {
public:
  request_tracker(caf::actor_system& system, root_actor root);
  ~request_tracker();

  /// Gives the request a number, unless it has one, which no other may have had; returns it.
  uint64_t submit(v1::GenerateRequest request);
  void cancel(uint64_t request);
  /// Handles at most one message; waits for it no longer than `timeout`. False: none came.
  bool receive(std::chrono::milliseconds timeout);
  std::deque<generation_event>& events() { return events_; }
  std::vector<uint64_t> pending() const;
  size_t pending_count() const { return requests_.size(); }
  uint64_t resubmitted() const { return resubmitted_; }
  /// Of the requests that came with one, by number; whoever takes the last event of a request takes its listener away.
  std::map<uint64_t, std::shared_ptr<event_listener>>& listeners() { return listeners_; }
  /// Messages to it from other threads: a GenerateRequest, to submit it, with a request_listener if it has one, and then with a number; a
  /// CancelRequest; and a ClientTick, so that `receive` returns.
  caf::actor handle() const { return self_; }
  caf::actor_clock::time_point now() const { return self_->clock().now(); }

private:
  struct silence {
    caf::actor_clock::time_point heard; // When something was last received, or when the silence last was overdue.
    caf::timespan patience = liveness_silence; // It is overdue after so much time since `heard`.
  };
  struct request_state {
    v1::GenerateRequest request; // generated_tokens: what has been received.
    caf::strong_actor_ptr sequence;
    bool sent = false, cancelled = false;
    uint32_t memory_failures = 0; // Sequences in a row that ended because they got no memory, and no token in between.
    uint32_t exceptions = 0;      // The same of those that ended by an exception.
    caf::actor_clock::time_point pause_end{}; // In paused_: when it is sent again.
    // When it is sent once more, if nothing has been heard of it by then; and how much later the time after that.
    caf::actor_clock::time_point ask_at{};
    caf::timespan ask_after = ask_after_first;
    silence quiet;
    liveness_check liveness; // Of `sequence`.
  };
  static constexpr caf::timespan patience_max = std::chrono::seconds(10);
  static constexpr caf::timespan ask_after_first = std::chrono::seconds(2), ask_after_max = std::chrono::seconds(60);
  static constexpr uint32_t memory_failures_max = 8, exceptions_max = 16;
  static constexpr caf::timespan pause_first = std::chrono::milliseconds(100), pause_max = std::chrono::seconds(4);

  void set_sequence(uint64_t id, request_state& state, caf::strong_actor_ptr sequence); // Null: it has none any more.
  void cancel_at(const caf::strong_actor_ptr& whom, uint64_t request);
  template <class Answer> request_state* awaiting(const Answer& answer);
  void send_waiting();
  void send(uint64_t id, request_state& state);
  void ask_again();
  void lose(uint64_t id, request_state& lost, caf::timespan pause = caf::timespan(0));
  void out_of_memory(uint64_t id, request_state& lost);
  void failed(uint64_t id, request_state& lost, const caf::error& reason);
  void end_pauses();
  request_state* accept(uint64_t request_id); // Null: the message is not from the sequence that serves the request now.
  void finish(uint64_t request_id, finish_reason reason, std::string error, std::string text,
              std::vector<hypothesis> hypotheses = {});
  void on_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle);
  void on_queued(const v1::GenerateQueued& queued);
  void on_accepted(const v1::GenerateAccepted& accepted, const caf::strong_actor_ptr& sequence);
  void on_token(v1::TokenEvent& token);
  void on_end(v1::GenerateEnd& end);
  void on_down(const caf::down_msg& down);
  void on_tick();
  void on_liveness_reply(const v1::LivenessReply& reply);
  void reset(silence& quiet);
  bool overdue(silence& quiet);            // If it is, the next time is twice as long.
  void ask_sequence(request_state& state); // Sends a liveness check, unless one is under way.
  void keep_ticking();

  caf::scoped_actor self_;
  root_actor root_; // Null: it has ended, and
  std::string stopped_; // what became of the engine.
  directory_actor directory_;
  sequences_actor sequences_;
  std::map<uint64_t, request_state> requests_;
  std::set<uint64_t> unsent_;                // Of them, those that are to be sent,
  std::set<std::pair<caf::actor_clock::time_point, uint64_t>> paused_; // and those that are to be sent later.
  std::set<std::pair<caf::actor_clock::time_point, uint64_t>> unheard_; // Those that were sent, and when they are sent once more.
  std::map<caf::actor_id, uint64_t> served_; // Which request a sequence serves, by the id of its handle.
  silence others_quiet_;                     // Of all requests without a sequence.
  size_t owed_ = 0;                          // How many sequences owe a liveness reply.
  std::deque<generation_event> events_;
  std::map<uint64_t, std::shared_ptr<event_listener>> listeners_;
  uint64_t last_request_ = 0, resubmitted_ = 0;
  running_time ran_; // From tick to tick.
  bool ticking_ = false;
};

} // namespace troupe

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(troupe::request_listener)
