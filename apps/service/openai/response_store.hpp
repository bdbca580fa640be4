#pragma once
// Responses that can be asked for later: running ones and, for a while, those that have ended.
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/context.hpp"
#include "apps/service/serving/event_stream.hpp"
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace troupe::service {

/// One response: its object as it is now, and all of its events.
struct stored_response {
  std::string id, tenant;
  json object;
  json_value::array conversation; // What was said before, without instructions; with the answer, once it has ended well.
  size_t inputs = 0;              // How much of it was said before.
  std::optional<api_error> failure; // Instead of an answer.
  std::vector<std::pair<std::string, std::string>> events; // Name and data, by sequence_number.
  std::list<event_stream> readers;
  std::vector<std::function<void(const stored_response&)>> waiting; // For its end.
  std::weak_ptr<generation> running;
  bool is_over = false, is_stored = true;
  bool has_readers = true; // Somebody may read its events.
  uint64_t bytes = 0;      // Of its events and of what was said.

  /// Adds an event of this type with the next sequence_number, and sends it to all readers.
  void emit(const std::string& type, json event);
  /// Sends what came after this sequence_number, and what is still to come.
  void read(http::server& server, const std::shared_ptr<http::exchange>& exchange, int64_t after);
  void end();
};

/// Keeps at most so many responses and bytes: those that ended first go first.
class response_store {
public:
  static constexpr size_t count_max = 4096;
  static constexpr uint64_t bytes_max = 256 << 20;

  void add(std::shared_ptr<stored_response> one);
  /// To be called when one has ended; also when it has been removed before.
  void ended(const std::shared_ptr<stored_response>& one);
  /// Null: there is none of that name, or it is another tenant's.
  std::shared_ptr<stored_response> find(const std::string& id, const caller& who) const;
  void remove(const std::string& id);

private:
  std::map<std::string, std::shared_ptr<stored_response>> all_;
  std::deque<std::string> ended_;
  uint64_t bytes_ = 0;
};

// GET /v1/responses/{id}, DELETE, and below it.
void get_response(call& of, const std::string& id);
void delete_response(call& of, const std::string& id);
void cancel_response(call& of, const std::string& id);
void response_input_items(call& of, const std::string& id);

} // namespace troupe::service
