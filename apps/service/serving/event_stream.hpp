#pragma once
// Server-sent events (WHATWG HTML, section 9.2): an answer that comes in pieces.
#include "apps/service/http/server.hpp"
#include <memory>
#include <string>
#include <string_view>

namespace troupe::service {

/// `name`: of the event; empty: none. `id`: of the event, for Last-Event-ID; empty: none.
void append_event(std::string& to, std::string_view name, std::string_view data, std::string_view id = {});

/// The answer of one exchange as events. Begins with the first event, so that until then it can be an error with a status instead. While
/// nothing is sent, comments keep the connection alive.
class event_stream {
public:
  event_stream(http::server& server, std::shared_ptr<http::exchange> exchange);

  bool has_begun() const { return has_begun_; }
  event_stream(const event_stream&) = delete; // A timer knows where it is.
  event_stream& operator=(const event_stream&) = delete;
  void send(std::string_view name, std::string_view data, std::string_view id = {});
  /// Whole events.
  void send_text(std::string_view events);
  void end();
  http::exchange& exchange() { return *exchange_; }

private:
  void begin();
  void keep_alive();

  http::server& server_;
  std::shared_ptr<http::exchange> exchange_;
  http::timer timer_;
  bool has_begun_ = false, is_quiet_ = false; // Nothing was sent since the timer was set. At first it counts as sent: what is refused while it waits has its own status.
};

} // namespace troupe::service
