#include "apps/service/openai/response_store.hpp"

#include "apps/service/serving/kept_requests.hpp"

#include <charconv>
#include <utility>

namespace troupe::service {
namespace {

std::shared_ptr<stored_response> require(call& of, const std::string& id) {
  auto found = of.in.responses->find(id, of.who);
  if (!found) throw api_error(404, "response_not_found", "there is no response \"" + id + "\", or it is not kept any more", "response_id");
  return found;
}

} // namespace

void stored_response::emit(const std::string& type, json event) {
  json whole{{"type", type}, {"sequence_number", log->events()}};
  whole.update(event);
  log->send(type, to_text(whole));
}

void stored_response::end() {
  is_over = true;
  log->end();
  for (const auto& tell : std::exchange(waiting, {})) tell(*this);
}

void response_store::add(std::shared_ptr<stored_response> one) {
  auto& place = all_[one->id];
  place = std::move(one);
}

void response_store::ended(const std::shared_ptr<stored_response>& one) {
  bytes_ += one->log->bytes();
  ended_.push_back(one->id);
  while (!ended_.empty() && (ended_.size() > count_max || bytes_ > bytes_max)) {
    if (const auto oldest = all_.extract(ended_.front()); !oldest.empty()) bytes_ -= oldest.mapped()->log->bytes();
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
  if (!one.empty() && one.mapped()->is_over) bytes_ -= one.mapped()->log->bytes();
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
  of.in.kept->forget(id);
  respond_json(*of.exchange, to_text({{"id", id}, {"object", "response.deleted"}, {"deleted", true}}));
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
  const size_t count = found->conversation.size() - (found->is_over && !found->conversation.empty() ? 1 : 0);
  for (size_t i = 0; i < count; ++i) {
    const json message = to_json(found->conversation[i]);
    data.push_back({{"id", "msg_" + std::to_string(i)},
                    {"type", "message"},
                    {"role", message["role"]},
                    {"content", json::array({{{"type", "input_text"}, {"text", message["content"]}}})}});
  }
  json list{{"object", "list"}, {"data", data}, {"first_id", nullptr}, {"last_id", nullptr}, {"has_more", false}};
  if (!data.empty()) {
    list["first_id"] = data.front()["id"];
    list["last_id"] = data.back()["id"];
  }
  respond_json(*of.exchange, to_text(list));
}

} // namespace troupe::service
