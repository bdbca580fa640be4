#include "actors/event_client.hpp"

#include "actors/requests/request_tracker.hpp"

#include <chrono>
#include <iterator>
#include <stop_token>
#include <thread>
#include <utility>

namespace troupe {

using namespace std::chrono_literals;

struct event_client::state {
  state(const client_connection& to, receiver receive)
    : system(to.system), model(to.model), tracker(to.system, to.root), handle(tracker.handle()),
      thread([this, receive = std::move(receive)](const std::stop_token& stop) { run(stop, receive); }) {}
  ~state() {
    thread.request_stop();
    caf::anon_send(handle, v1::ClientTick{}); // It wakes up.
  }

  void run(const std::stop_token& stop, const receiver& receive) {
    while (!stop.stop_requested()) {
      tracker.receive(1min);
      while (tracker.receive(0ms)) {}
      auto& events = tracker.events();
      if (events.empty() || stop.stop_requested()) continue;
      receive({std::move_iterator(events.begin()), std::move_iterator(events.end())});
      events.clear();
    }
  }

  caf::actor_system& system;
  std::shared_ptr<const model_parts> model;
  request_tracker tracker; // Of the thread, from here on.
  caf::actor handle;
  uint64_t last_request = 0;
  std::jthread thread;
};

event_client::event_client(const client_connection& to, receiver receive)
  : state_(std::make_unique<state>(to, std::move(receive))) {}
event_client::event_client(event_client&&) noexcept = default;
event_client::~event_client() = default;

uint64_t event_client::submit(generate_request request) {
  auto message = to_message(std::move(request), *state_->model, state_->system.clock().now());
  message.set_request_id(++state_->last_request);
  caf::anon_send(state_->handle, std::move(message));
  return state_->last_request;
}

void event_client::cancel(uint64_t request) {
  v1::CancelRequest order;
  order.set_request_id(request);
  caf::anon_send(state_->handle, std::move(order));
}

} // namespace troupe
