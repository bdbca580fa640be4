#pragma once
// The requests of one user of an engine, and their events.
#include "actors/requests/generation.hpp"
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace troupe {

class engine;
struct client_connection; // actors/requests/request_tracker.hpp

/// Sends requests and receives their events. One thread uses it; an engine may have many clients. When an actor that
/// serves a request is lost, the client sends the request again from where it is: the caller sees only a pause. Destroying
/// a client cancels its requests.
class client {
public:
  client(client&&) noexcept;
  client& operator=(client&&) noexcept;
  ~client();

  /// Text to tokens by the model's tokenizer. Throws input_error when the model has none.
  std::vector<uint32_t> encode(std::string_view text) const;
  /// Checks and sends. Returns the request's number. Throws input_error for a request that can never be served.
  uint64_t submit(generate_request request);
  /// Waits for the next event of any request. nullopt: nothing is under way any more.
  std::optional<generation_event> next();
  /// The same, at most for `timeout`; nullopt also when the time is over: see pending().
  std::optional<generation_event> next(std::chrono::milliseconds timeout);
  /// Ends a request early; its `finished` event with `cancelled` still comes. Unknown numbers are ignored.
  void cancel(uint64_t request);
  void cancel_all();
  /// How many requests have not finished.
  size_t pending() const;
  /// How often a lost request was sent again.
  uint64_t resubmitted() const;

private:
  friend class engine;
  struct state;
  explicit client(const client_connection& to);
  std::unique_ptr<state> state_;
};

} // namespace troupe
