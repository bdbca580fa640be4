#pragma once
// Responses that can be asked for later: running ones and, for a while, those that have ended.
#include "apps/service/api/json_text.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/context.hpp"
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace troupe::service {

/// One response: its object as it is now, and its events in the log.
struct stored_response {
  std::string id, tenant;
  json object;
  json_value::array conversation; // What was said before, without instructions; with the answer, once it has ended well.
  size_t inputs = 0;              // How much of it was said before.
  std::shared_ptr<answer_log> log; // Its events by sequence_number.
  std::vector<std::function<void(const stored_response&)>> waiting; // For its end.
  std::weak_ptr<generation> running;
  bool is_over = false, is_stored = true;
  bool has_readers = true; // Somebody may read its events.
  uint64_t bytes = 0;      // Of what was said; once it has ended, with what it said.

  /// Adds an event of this type with the next sequence_number.
  void emit(const std::string& type, json event);
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
