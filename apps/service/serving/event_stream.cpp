#include "apps/service/serving/event_stream.hpp"

#include <chrono>
#include <utility>

namespace troupe::service {

using namespace std::chrono_literals;

void append_event(std::string& to, std::string_view name, std::string_view data, std::string_view id) {
  if (to.empty()) to.reserve(data.size() + name.size() + id.size() + 32);
  if (!name.empty()) (to += "event: ").append(name) += '\n';
  if (!id.empty()) (to += "id: ").append(id) += '\n';
  (to += "data: ").append(data) += "\n\n";
}

event_stream::event_stream(http::server& server, std::shared_ptr<http::exchange> exchange)
  : server_(server), exchange_(std::move(exchange)) {
  keep_alive();
}

void event_stream::begin() {
  if (std::exchange(has_begun_, true)) return;
  exchange_->begin_stream(200, "text/event-stream; charset=utf-8", {{"cache-control", "no-cache"}, {"x-accel-buffering", "no"}});
}

void event_stream::send(std::string_view name, std::string_view data, std::string_view id) {
  std::string event;
  append_event(event, name, data, id);
  send_text(event);
}

void event_stream::send_text(std::string_view events) {
  begin();
  is_quiet_ = false;
  exchange_->write(events);
}

void event_stream::end() {
  timer_.cancel();
  begin();
  exchange_->end_stream();
}

void event_stream::keep_alive() {
  timer_ = server_.after(15s, [this] {
    if (std::exchange(is_quiet_, true)) {
      begin();
      exchange_->write(": keep-alive\n\n");
    }
    keep_alive();
  });
}

} // namespace troupe::service
