#pragma once
// The requests of a program that is driven by events, such as a server.
#include "actors/requests/generation.hpp"
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace troupe {

struct client_connection; // actors/requests/request_tracker.hpp

/// As a client, but events come to a function instead of being waited for: in a thread of this object, several at once when several are
/// there, in order. One thread at a time uses an event_client. What is lost is sent again, as by a client. Destroying it cancels its
/// requests; afterwards the function is not called any more.
class event_client {
public:
  using receiver = std::function<void(std::vector<generation_event>)>;

  event_client(event_client&&) noexcept;
  ~event_client();

  /// Checks and sends. Returns the request's number. Throws input_error for a request that can never be served.
  uint64_t submit(generate_request request);
  /// Ends a request early; its `finished` event with `cancelled` still comes. Unknown numbers are ignored.
  void cancel(uint64_t request);

private:
  friend class engine;
  struct state;
  event_client(const client_connection& to, receiver receive);
  std::unique_ptr<state> state_;
};

} // namespace troupe
