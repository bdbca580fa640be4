#include "apps/service/openai/response_store.hpp"

#include "apps/service/serving/kept_requests.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace troupe::service {
namespace {

std::shared_ptr<stored_response> require(call& of, const std::string& id) {
  auto found = of.in.responses->find(id, of.who);
  if (!found) throw api_error(404, "response_not_found", "there is no response \"" + id + "\", or it is not kept any more", "response_id");
  return found;
}

/// What a message of a conversation was as items of the Responses API.
void add_items(json& data, const json& message) {
  const auto id = [&](const char* prefix) { return prefix + std::to_string(data.size()); };
  const bool is_assistant = message["role"] == "assistant";
  if (message["role"] == "tool")
    return data.push_back({{"id", id("fco_")},
                           {"type", "function_call_output"},
                           {"call_id", message.value("tool_call_id", "")},
                           {"output", message["content"]}});
  if (!is_assistant || message["content"] != "")
    data.push_back({{"id", id("msg_")},
                    {"type", "message"},
                    {"role", message["role"]},
                    {"content", json::array({{{"type", is_assistant ? "output_text" : "input_text"}, {"text", message["content"]}}})}});
  for (const auto& call : message.value("tool_calls", json::array()))
    data.push_back({{"id", id("fc_")},
                    {"type", "function_call"},
                    {"call_id", call["id"]},
                    {"name", call["function"]["name"]},
                    {"arguments", to_text(call["function"]["arguments"])}});
}

} // namespace

void stored_response::emit(const std::string& type, json event) {
  if (!has_readers) return;
  json whole{{"type", type}, {"sequence_number", log->events()}};
  whole.update(event);
  log->send(type, to_text(whole));
}

void stored_response::end() {
  is_over = true;
  log->end();
  bytes += log->bytes();
  for (const auto& tell : std::exchange(waiting, {})) tell(*this);
}

void response_store::add(std::shared_ptr<stored_response> one) {
  remove(one->id); // It may have been read back anew.
  auto& place = all_[one->id];
  place = std::move(one);
}

void response_store::ended(const std::shared_ptr<stored_response>& one) {
  if (const auto found = all_.find(one->id); found == all_.end() || found->second != one) return; // Deleted while it ran.
  bytes_ += one->bytes;
  ended_.push_back(one->id);
  while (!ended_.empty() && (ended_.size() > count_max || bytes_ > bytes_max)) {
    bytes_ -= all_.extract(ended_.front()).mapped()->bytes;
    ended_.pop_front();
  }
}

std::shared_ptr<stored_response> response_store::find(const std::string& id, const caller& who) const {
  const auto found = all_.find(id);
  if (found == all_.end() || (who.is_known && found->second->tenant != who.tenant)) return nullptr;
  return found->second;
}

void response_store::remove(const std::string& id) {
  const auto one = all_.extract(id);
  if (one.empty() || std::erase(ended_, id) == 0) return;
  bytes_ -= one.mapped()->bytes;
}

void get_response(call& of, const std::string& id) {
  const auto found = require(of, id);
  const auto query = of.exchange->asked().query_parameters();
  const auto streams = query.find("stream");
  if (streams == query.end() || streams->second != "true") return respond_json(*of.exchange, to_text(found->object));
  int64_t after = -1;
  if (const auto given = query.find("starting_after"); given != query.end()) {
    const char* end = given->second.data() + given->second.size();
    const auto [rest, error] = std::from_chars(given->second.data(), end, after);
    if (error != std::errc() || rest != end || after < -1)
      throw api_error(400, "invalid_value", "starting_after must be a sequence_number", "starting_after");
  }
  if (found->log->readers() >= 64) throw api_error(429, "too_many_readers", "this response has too many readers");
  found->log->read(of.exchange, true, after);
}

void delete_response(call& of, const std::string& id) {
  const auto found = require(of, id);
  if (const auto running = found->running.lock()) running->cancel();
  of.in.responses->remove(id);
  of.in.kept->forget(id, [exchange = of.exchange, id](const api_error* failure) {
    if (failure) return respond_error(*exchange, *failure, api_form::openai);
    respond_json(*exchange, to_text({{"id", id}, {"object", "response.deleted"}, {"deleted", true}}));
  });
}

void cancel_response(call& of, const std::string& id) {
  const auto found = require(of, id);
  const auto answer = [exchange = of.exchange](const stored_response& one) { respond_json(*exchange, to_text(one.object)); };
  if (found->is_over) return answer(*found);
  found->waiting.push_back(answer);
  if (const auto running = found->running.lock()) running->cancel();
}

void response_input_items(call& of, const std::string& id) {
  const auto found = require(of, id);
  json data = json::array();
  for (size_t i = 0; i < found->inputs; ++i) add_items(data, to_json(found->conversation[i]));
  json list{{"object", "list"}, {"data", data}, {"first_id", nullptr}, {"last_id", nullptr}, {"has_more", false}};
  if (!data.empty()) {
    list["first_id"] = data.front()["id"];
    list["last_id"] = data.back()["id"];
  }
  respond_json(*of.exchange, to_text(list));
}

} // namespace troupe::service
