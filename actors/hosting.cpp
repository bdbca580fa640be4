#include "actors/hosting.hpp"

#include "actors/requests/event_messages.hpp"
#include "actors/supervision/failure.hpp"
#include "model/error.hpp"

#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace troupe {
namespace {

using request_key = std::pair<caf::actor_id, uint64_t>; // The asker, and its number.

struct requests_state {
  static inline const char* name = "requests";
  requests_state() = default;
  std::map<request_key, uint64_t> numbers; // Of the client, by the askers' own.
  std::map<uint64_t, request_key> askers;
  std::optional<event_client> client; // Gone first: its functions send messages to this actor.
};
using requests_pointer = requests_actor::stateful_pointer<requests_state>;

/// The function that gets the events of a request: tells the asker, and the actor when it is over.
event_client::event_function teller(const caf::strong_actor_ptr& asker, uint64_t number_of_asker, uint32_t tokens, caf::actor requests) {
  return [asker = caf::actor_cast<caf::actor>(asker), number_of_asker, tokens, requests = std::move(requests)](generation_event event) mutable {
    const uint64_t number = std::exchange(event.request, number_of_asker);
    switch (event.kind) {
    case event_kind::token:
      ++tokens;
      caf::anon_send(asker, to_token(event));
      return;
    case event_kind::logits: caf::anon_send(asker, to_logits(event)); return;
    case event_kind::hidden_states: caf::anon_send(asker, to_hidden(event)); return;
    case event_kind::finished: break;
    }
    caf::anon_send(asker, to_end(event, tokens));
    v1::GenerateEnd over;
    over.set_request_id(number);
    caf::anon_send(requests, std::move(over));
  };
}

void refuse(const caf::strong_actor_ptr& asker, uint64_t number, const std::string& why) {
  v1::GenerateEnd end;
  end.set_request_id(number);
  end.set_finish_reason(v1::FINISH_REASON_ERROR);
  end.set_error(why);
  caf::anon_send(caf::actor_cast<caf::actor>(asker), std::move(end));
}

void on_request(requests_pointer self, const v1::GenerateRequest& message, const caf::strong_actor_ptr& asker) {
  auto& st = self->state;
  if (!asker || st.numbers.contains({asker->id(), message.request_id()})) return;
  try {
    auto receive = teller(asker, message.request_id(), uint32_t(message.generated_tokens_size()), caf::actor_cast<caf::actor>(self));
    const uint64_t number = st.client->submit(to_request(message, self->clock().now()), std::move(receive));
    const auto first_of_asker = st.numbers.lower_bound({asker->id(), 0});
    if (first_of_asker == st.numbers.end() || first_of_asker->first.first != asker->id()) self->monitor(asker);
    st.numbers[{asker->id(), message.request_id()}] = number;
    st.askers[number] = {asker->id(), message.request_id()};
  } catch (const input_error& error) {
    refuse(asker, message.request_id(), error.what());
  }
}

void on_cancel(requests_pointer self, const v1::CancelRequest& order) {
  const auto& sender = self->current_sender();
  if (!sender) return;
  const auto known = self->state.numbers.find({sender->id(), order.request_id()});
  if (known != self->state.numbers.end()) self->state.client->cancel(known->second);
}

void on_over(requests_pointer self, uint64_t number) {
  auto& st = self->state;
  const auto known = st.askers.extract(number);
  if (known.empty()) return;
  st.numbers.erase(known.mapped());
}

void on_asker_ended(requests_pointer self, caf::actor_id asker) {
  auto& st = self->state;
  for (auto it = st.numbers.lower_bound({asker, 0}); it != st.numbers.end() && it->first.first == asker; ++it) st.client->cancel(it->second);
}

requests_actor::behavior_type requests(requests_pointer self, const std::shared_ptr<event_client>& client) {
  report_exceptions(self);
  self->set_default_handler(caf::drop);
  self->state.client.emplace(std::move(*client));
  self->set_down_handler([self](const caf::down_msg& down) { on_asker_ended(self, down.source.id()); });
  return {[self](const v1::GenerateRequest& message, const caf::strong_actor_ptr& asker) { on_request(self, message, asker); },
          [self](const v1::CancelRequest& order) { on_cancel(self, order); },
          [self](const v1::GenerateEnd& over) { on_over(self, over.request_id()); }};
}

} // namespace

requests_actor spawn_requests(engine& of) {
  return of.system().spawn(requests, std::make_shared<event_client>(of.connect_async()));
}

} // namespace troupe
