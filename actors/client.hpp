#pragma once
// What a client knows about its requests, and what follows from each message: the state behind troupe::client.
#include "actors/engine.hpp"
#include "actors/life.hpp"
#include "actors/roles.hpp"
#include "actors/root.hpp"
#include <caf/all.hpp>
#include <deque>
#include <map>
#include <optional>

namespace troupe {

/// What a request looks like on its way. Throws input_error for one that this model can never serve.
v1::GenerateRequest to_message(generate_request request, const model_parts& model);

/// Keeps every unfinished request with the tokens it has received, so that it can be sent again from there when the
/// sequence that served it is lost. Everything below the root may be lost at any moment.
///
/// When nothing is heard of a request for a while, it asks the request's sequence and the root for a sign of life; the root
/// looks at all others (actors/life.hpp). Asked again twice as much later each time. A sequence that gives none is lost like one
/// that died, and reported to its supervisor. For this a desk sends itself a ClientTick while requests are under way.
///
/// Works through a scoped_actor's mailbox, in the thread that calls `receive`.
class client_desk {
public:
  client_desk(caf::actor_system& system, root_actor root);
  ~client_desk();

  uint64_t submit(v1::GenerateRequest request); // Numbers it.
  void cancel(uint64_t request);
  /// Handles at most one message; waits for it no longer than `timeout`. False: none came.
  bool receive(std::chrono::milliseconds timeout);
  std::deque<generation_event>& events() { return events_; }
  std::vector<uint64_t> pending() const;
  uint64_t resubmitted() const { return resubmitted_; }

private:
  struct request_state {
    v1::GenerateRequest request; // generated_tokens: what has been received.
    caf::strong_actor_ptr sequence;
    bool sent = false, cancelled = false;
    caf::actor_clock::time_point heard; // When something was heard of it, or last missed.
    caf::timespan patience = life_silence;
    life_check life;
  };
  static constexpr caf::timespan patience_max = std::chrono::seconds(10);

  void cancel_sequence(uint64_t request, const caf::strong_actor_ptr& sequence);
  void send_waiting();
  void lose(request_state& lost);
  request_state* accept(uint64_t request_id); // Null: the message is not from who serves the request now.
  void finish(uint64_t request_id, finish_reason reason, std::string error, std::string text);
  void on_started(const v1::ActorStarted& started, const caf::strong_actor_ptr& handle);
  void on_accepted(const v1::GenerateAccepted& accepted, const caf::strong_actor_ptr& sequence);
  void on_token(v1::TokenEvent& token);
  void on_end(v1::GenerateEnd& end);
  void on_down(const caf::down_msg& down);
  void on_tick();
  void on_sign(const v1::SignOfLife& sign);
  void hear_of(request_state& state);
  bool is_overdue(request_state& state); // Then it is not for a while.
  void ask_for_life(request_state& state);
  void keep_watch();

  caf::scoped_actor self_;
  root_actor root_;
  directory_actor directory_;
  sequences_actor sequences_;
  std::map<uint64_t, request_state> requests_;
  std::deque<generation_event> events_;
  uint64_t last_request_ = 0, resubmitted_ = 0;
  bool ticking_ = false;
};

} // namespace troupe
