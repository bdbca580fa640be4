#pragma once
// The answer to one request as it is made, apart from those who read it: events, or one whole.
#include "apps/service/api/api_error.hpp"
#include "apps/service/http/server.hpp"
#include "apps/service/serving/event_file.hpp"
#include "apps/service/serving/event_stream.hpp"
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe::service {

/// Who makes the answer calls send() as often as needed, or respond(), and then end(); or fail(). Who reads it comes at any time with
/// read(). All on the server's thread. Owned by a shared_ptr.
class answer_log : public std::enable_shared_from_this<answer_log> {
public:
  /// keeps_events: events have numbers, as their ids, and can be read again from any of them. Otherwise a reader gets what comes after it
  /// did.
  /// folder: where earlier events of an answer go that is longer than so many bytes of events in memory. Empty, or where it takes none:
  /// more are kept in memory, and what precedes those is gone: who asks for it gets an error (410), and whoever is so slow that it lacks
  /// it the same as an event, its last one.
  static constexpr uint64_t memory_max = 1 << 20, memory_max_without_file = 16 << 20;
  answer_log(http::server& server, api_form form, bool keeps_events, std::filesystem::path folder = {})
    : server_(server), form_(form), keeps_events_(keeps_events), folder_(std::move(folder)) {}

  void send(std::string_view name, std::string data);
  /// The whole, as JSON, for those who read no events. The first one counts.
  void respond(std::string body);
  void end();
  /// The end. Those who have got nothing get the error with its status; is_event: readers of events that have begun get it as an event.
  void fail(const api_error& error, bool is_event = true);

  /// `after`: the number of the last event that the reader has; -1: none. One that is behind the end of an answer is an error, 400; before
  /// the end the reader waits for what follows it.
  void read(const std::shared_ptr<http::exchange>& by, bool as_events, int64_t after = -1);
  /// Calls it whenever the last reader has gone before the end.
  void when_abandoned(std::function<void()> f) { when_abandoned_ = std::move(f); }
  /// Readers get nothing until release(); or this error, if they may not have the answer. Then it is over.
  void hold() { is_held_ = true; }
  void release();
  void refuse(const api_error& error);
  /// Breaks the connections of those who read it.
  void disconnect(const api_error& error);

  size_t events() const { return sent_; }
  size_t readers() const { return readers_.size() + waiting_.size() + held_.size(); }
  bool is_over() const { return is_over_; }
  uint64_t bytes() const { return bytes_; } // In memory or in the file.
  uint64_t bytes_of_events_in_memory() const { return memory_bytes_; }

private:
  struct reader {
    reader(http::server& server, const std::shared_ptr<http::exchange>& by, size_t first) : stream(server, by), next(first) {}
    event_stream stream;
    size_t next; // Event that it gets.
    http::timer later;
  };
  struct held_reader {
    std::shared_ptr<http::exchange> by;
    bool as_events;
    int64_t after;
  };
  void shrink();
  bool has(size_t number) const { return number >= first_ || file_; }
  bool pump(reader& to);
  void pump_later(reader& to);
  void pump_all();
  void fail_reader(reader& to, const api_error& error) const;
  const char* error_event() const { return form_ == api_form::anthropic ? "error" : ""; }
  void leave(const http::exchange& gone);

  http::server& server_;
  api_form form_;
  bool keeps_events_, is_held_ = false, is_over_ = false;
  std::filesystem::path folder_; // Empty: none, or it takes no file.
  std::optional<event_file> file_; // Of events before first_.
  std::deque<std::pair<std::string, std::string>> events_; // Name and data, by number, from first_ on.
  size_t first_ = 0, sent_ = 0;
  uint64_t memory_bytes_ = 0;
  std::optional<std::string> whole_;
  std::optional<api_error> error_; // For those who get nothing else.
  std::list<reader> readers_;
  std::list<std::shared_ptr<http::exchange>> waiting_; // For the whole.
  std::list<held_reader> held_;
  std::function<void()> when_abandoned_;
  uint64_t bytes_ = 0;
};

} // namespace troupe::service
