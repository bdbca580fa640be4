#include "apps/service/serving/context.hpp"

#include "apps/service/api/fields.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace troupe::service {
namespace {

admission& admission_of(context& in, const served_model& model) {
  const auto is_it = [&](const auto& one) { return one.get() == &model; };
  return in.admissions[size_t(std::ranges::find_if(in.models, is_it) - in.models.begin())];
}

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace

int64_t unix_time() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

served_model& find_model(context& in, std::string_view name) {
  if (name.empty() || name == "default") return *in.models.front();
  for (const auto& one : in.models)
    if (one->name() == name) return *one;
  throw api_error(404, "model_not_found", "the model \"" + std::string(name) + "\" is not served here: see /v1/models", "model");
}

served_model& find_model(context& in, const json_node& body) { return find_model(in, text_field(body, "model", "")); }

void respond_json(http::exchange& to, const std::string& body, int status) {
  to.respond({.status = status, .content_type = "application/json", .body = body, .headers = {}});
}

void respond_error(http::exchange& to, const api_error& error, api_form form) {
  http::response answer{.status = error.status, .content_type = "application/json", .body = error_body(error, form), .headers = {}};
  if (error.retry_after_ms) {
    const auto seconds = uint64_t(std::ceil(double(*error.retry_after_ms) / 1000));
    answer.headers.emplace_back("retry-after", std::to_string(seconds));
    answer.headers.emplace_back("retry-after-ms", std::to_string(*error.retry_after_ms));
    answer.headers.emplace_back("x-should-retry", "true");
  } else if (error.status == 408 || error.status == 409) {
    answer.headers.emplace_back("x-should-retry", "false"); // Clients would do it by themselves.
  }
  if (error.status == 401) answer.headers.emplace_back("www-authenticate", "Bearer");
  to.respond(std::move(answer));
}

void admit(call& of, served_model& model, size_t bytes, const generation_fields& fields) {
  auto& in = of.in;
  if (in.is_draining) {
    api_error error(503, "draining", "this server is being stopped");
    error.retry_after_ms = 1000;
    throw error;
  }
  model.check_length(bytes);
  double patience_ms = double(in.queue_time_max.count());
  if (fields.request.start_deadline) patience_ms = double(fields.request.start_deadline->count());
  if (fields.request.deadline) patience_ms = std::min(patience_ms, double(fields.request.deadline->count()));
  if (fields.request.priority > 0) return; // They are served before those that wait.
  const auto verdict = admission_of(in, model).ask(fields.choices, bytes, patience_ms);
  if (verdict.is_admitted) return;
  ++in.metrics.refused;
  api_error error(429, "overloaded", "too many requests are waiting; try again in " + std::to_string(verdict.retry_after_ms) + " ms");
  error.retry_after_ms = verdict.retry_after_ms;
  throw error;
}

std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  bool is_kept, std::function<std::unique_ptr<generation_form>(const generation&)> form) {
  auto& in = of.in;
  auto& counts = admission_of(in, model);
  const auto sequences = uint32_t(requests.size());
  uint64_t bytes = 0;
  for (const auto& one : requests) bytes += 4 * (one.prompt.size() + one.source.size());
  // Where it was predicted wrongly that a request will not wait long. Starting takes some time on a busy machine, too.
  const auto room = std::max(2 * in.queue_time_max, std::chrono::milliseconds(1000));
  bool has_deadline = false;
  for (auto& one : requests) {
    has_deadline |= one.deadline || one.start_deadline;
    if (!one.start_deadline && one.priority <= 0) one.start_deadline = room;
  }
  const auto made = generation::start(model, std::move(requests), std::move(form));
  if (!has_deadline) made->retry_after = room;
  counts.begun(sequences, bytes);
  const std::string request_id = of.exchange->asked().id;
  in.under_way[name] = in.under_way[request_id] = {made, of.who.tenant};
  made->on_end = [&in, &counts, name, request_id, sequences, bytes](const generation& ended, const api_error* failure) {
    counts.ended(sequences, bytes, steady_ns());
    in.under_way.erase(name);
    in.under_way.erase(request_id);
    in.metrics.ended(ended, failure);
  };
  if (!is_kept)
    of.exchange->on_gone([weak = std::weak_ptr(made)] {
      if (const auto running = weak.lock()) running->cancel();
    });
  return made;
}

bool cancel(context& in, const std::string& name, const caller& who) {
  const auto found = in.under_way.find(name);
  if (found == in.under_way.end() || (who.is_known && found->second.tenant != who.tenant)) return false;
  const auto running = found->second.of.lock();
  if (running) running->cancel();
  return running != nullptr;
}

} // namespace troupe::service
