#include "actors/requests/sequences.hpp"

#include "actors/interfaces/paths.hpp"
#include "actors/requests/beam_sequence.hpp"
#include "actors/requests/deadlines.hpp"
#include "actors/requests/request_queue.hpp"
#include "actors/requests/waiting_time.hpp"
#include "actors/supervision/supervisor_core.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <set>

namespace troupe {
namespace {

struct sequences_state {
  static inline const char* name = "sequences";
  sequence_config each;
  uint32_t sequences_max = 0;
  uint64_t waiting_bytes_max = 0;
  std::optional<supervisor_core> core;
  request_queue<caf::message> waiting; // Of GenerateRequest and its client's handle.
  std::set<caf::actor_id> clients;     // Monitored, because requests of theirs wait or have waited.
  waiting_time starts;                 // From which the waiting of the next one is predicted.
  bool ticking = false;
};
using sequences_pointer = sequences_actor::stateful_pointer<sequences_state>;

caf::strong_actor_ptr start_sequence(caf::scheduled_actor* self, sequence_config& config, const caf::message& args) {
  const auto& request = args.get_as<v1::GenerateRequest>(0);
  const auto& client = args.get_as<caf::strong_actor_ptr>(1);
  // Once for all requests: about 70 ms for 128,000 tokens, which a model without constraints does not spend.
  if (request.has_constraint() && config.words && !config.tokens) config.tokens = std::make_shared<const token_index>(*config.words);
  const auto started = request.has_beam_search() ? self->spawn(beam_sequence, config, request, client)
                                                 : self->spawn(sequence, config, request, client);
  return caf::actor_cast<caf::strong_actor_ptr>(started);
}

template <class Message> void tell(sequences_pointer self, const caf::strong_actor_ptr& client, Message message) {
  using receiver = caf::typed_actor<caf::reacts_to<Message>>;
  if (const auto to = caf::actor_cast<receiver>(client)) self->send(to, std::move(message));
}

v1::GenerateEnd refusal(const v1::GenerateRequest& request, v1::FinishReason why, std::string reason) {
  v1::GenerateEnd end;
  end.set_request_id(request.request_id());
  end.set_finish_reason(why);
  end.set_error(std::move(reason));
  end.set_tokens(uint32_t(request.generated_tokens_size()));
  return end;
}

int64_t now_ns(sequences_pointer self) { return self->clock().now().time_since_epoch().count(); }

void start(sequences_pointer self, const caf::message& args) {
  const auto& request = args.get_as<v1::GenerateRequest>(0);
  const auto& client = args.get_as<caf::strong_actor_ptr>(1);
  const auto started = self->state.core->start_child(args);
  if (started) return send_accepted(self, request, started, client);
  tell(self, client,
       refusal(request, v1::FINISH_REASON_ERROR, "this request could not be started: " + self->state.core->start_error()));
}

bool has_room(const sequences_state& st) { return !st.core->stopping() && st.core->alive() < st.sequences_max; }

/// What is too late is not started.
void end_late(sequences_pointer self) {
  while (const auto late = self->state.waiting.take_late(now_ns(self))) {
    const auto& request = late->get_as<v1::GenerateRequest>(0);
    const std::string reason(next_deadline(request, request.generated_tokens_size() > 0)->reason);
    tell(self, late->get_as<caf::strong_actor_ptr>(1), refusal(request, v1::FINISH_REASON_DEADLINE, reason));
  }
}

/// One tick is under way while requests with deadlines wait: at the first of these, or soon enough to set a nearer one.
void keep_ticking(sequences_pointer self) {
  auto& st = self->state;
  const auto next = st.waiting.next_deadline_ns();
  if (st.ticking || !next) return;
  st.ticking = true;
  constexpr caf::timespan shortest = std::chrono::milliseconds(1), longest = std::chrono::milliseconds(100);
  self->delayed_send(self, std::clamp(caf::timespan(*next - now_ns(self)), shortest, longest), v1::SequenceTick{});
}

/// To be called whenever a sequence may have ended.
void start_waiting(sequences_pointer self) {
  auto& st = self->state;
  end_late(self);
  while (!st.waiting.empty() && has_room(st)) {
    start(self, *st.waiting.take());
    st.starts.started(now_ns(self), !st.waiting.empty());
  }
  keep_ticking(self);
}

/// What a record takes, beside the tokens of its prompt.
constexpr uint64_t record_bytes = 512;

void tell_queued(sequences_pointer self, const v1::GenerateRequest& request, const caf::strong_actor_ptr& client) {
  v1::GenerateQueued queued;
  queued.set_request_id(request.request_id());
  queued.set_attempt(request.attempt());
  tell(self, client, std::move(queued));
}

void enqueue(sequences_pointer self, request_key key, caf::message args) {
  auto& st = self->state;
  const auto& request = args.get_as<v1::GenerateRequest>(0);
  const auto& client = args.get_as<caf::strong_actor_ptr>(1);
  const uint64_t bytes = record_bytes + request.SpaceUsedLong();
  if (!request.was_admitted() && st.waiting.bytes() + bytes > st.waiting_bytes_max) {
    auto end = refusal(request, v1::FINISH_REASON_OVERLOADED,
                       "too many requests: " + std::to_string(st.waiting.size()) + " are waiting, for which " +
                         std::to_string(st.waiting_bytes_max) + " bytes are kept; try again when some have finished");
    end.set_retry_after_ms(uint32_t(std::clamp(st.starts.predicted_ns(0).value_or(1e9) / 1e6, 1.0, 60e3)));
    return tell(self, client, std::move(end));
  }
  if (st.clients.insert(client->id()).second) self->monitor(caf::actor_cast<caf::actor>(client));
  const auto limit = next_deadline(request, request.generated_tokens_size() > 0);
  st.waiting.add(key,
                 {.priority = request.priority(),
                  .tenant = request.tenant(),
                  .weight = request.tenant_weight() > 0 ? request.tenant_weight() : 1.0,
                  .work = uint64_t(request.prompt_tokens_size()) + request.tokens_max(),
                  .bytes = bytes,
                  .deadline_ns = limit ? limit->when.count() : 0},
                 args);
  tell_queued(self, request, client);
  keep_ticking(self);
}

/// `args`: the request and its client's handle, as they came. A copy of a large request may get no memory; only the one that is made for
/// its sequence is left, where that ends this request alone.
void on_request(sequences_pointer self, caf::message args) {
  auto& st = self->state;
  const auto& request = args.get_as<v1::GenerateRequest>(0);
  const auto& client = args.get_as<caf::strong_actor_ptr>(1);
  // No answer: the client is told of the end of this supervisor and of its successor, and asks that one. A refusal
  // would be final.
  if (st.core->stopping() || !client) return;
  const request_key key{client->id(), request.request_id()};
  if (request.was_started()) st.waiting.remove(key); // A repetition that came late: this one has waited.
  // A request that is sent again may arrive before the end of its earlier sequence is known here.
  if (request.was_started() || (st.waiting.empty() && has_room(st))) start(self, args);
  else if (st.waiting.contains(key)) tell_queued(self, request, client); // It asks again because the first answer was lost.
  else enqueue(self, key, std::move(args));
}

/// If it does not wait (any more, or not yet), its client cancels it when it learns what became of it.
void on_cancel(sequences_pointer self, const v1::CancelRequest& order) {
  if (const auto& client = self->current_sender()) self->state.waiting.remove({client->id(), order.request_id()});
}

sequences_actor::behavior_type sequences(sequences_pointer self, std::string path, sequences_config config) {
  self->state.each = config.each;
  self->state.sequences_max = config.sequences_max;
  self->state.waiting_bytes_max = config.waiting_bytes_max;
  child_spec each{path + "/*",
                  [self](caf::scheduled_actor* parent, const std::string&, const caf::message& args) {
                    return start_sequence(parent, self->state.each, args);
                  },
                  restart_kind::temporary};
  if (config.hook) config.hook(each);
  each.path = path; // The prefix: each sequence is published as path/actor id.
  auto& core = self->state.core.emplace(
    self, path, supervisor_policy{.strategy = restart_strategy::simple_one_for_one}, std::vector{std::move(each)},
    config.each.directory);
  core.take_over();
  self->set_down_handler([self](const caf::down_msg& down) {
    auto& st = self->state;
    if (st.core->on_down(down)) return start_waiting(self);
    st.clients.erase(down.source.id());
    st.waiting.remove_all_of(down.source.id());
  });
  core.start_all();
  return {[self](const v1::AbandonActor& order) {
            self->state.core->on_abandon(order);
            start_waiting(self);
          },
          [self](const v1::SupervisorTick& tick) {
            self->state.core->on_tick(tick);
            start_waiting(self);
          },
          [self](const v1::CheckLiveness& check) {
            self->state.core->on_liveness_check(check);
            start_waiting(self);
          },
          [self](const v1::LivenessReply& reply) { self->state.core->on_liveness_reply(reply); },
          [self](const v1::GenerateRequest&, const caf::strong_actor_ptr&) {
            on_request(self, self->current_mailbox_element()->move_content_to_message());
          },
          [self](const v1::SequenceTick&) {
            self->state.ticking = false;
            start_waiting(self);
          },
          [self](const v1::CancelRequest& order) { on_cancel(self, order); }};
}

} // namespace

child_spec sequences_child(sequences_config config) {
  return hooked({.path = paths::sequences,
                 .start =
                   [config](caf::scheduled_actor* parent, const std::string& path, const caf::message&) {
                     return caf::actor_cast<caf::strong_actor_ptr>(parent->spawn(sequences, path, config));
                   },
                 .answers_liveness_checks = true},
                config.hook);
}

} // namespace troupe
