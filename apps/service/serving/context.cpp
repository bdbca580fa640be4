#include "apps/service/serving/context.hpp"

#include "apps/service/api/fields.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace troupe::service {
namespace {

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

namespace {

api_error refusal(context& in, const char* code, const std::string& reason, uint32_t retry_after_ms) {
  ++in.metrics.refused;
  api_error error(429, code, reason);
  error.retry_after_ms = retry_after_ms;
  return error;
}

} // namespace

void admit(call& of, served_model& model, size_t sequences, const generate_request& wish) {
  auto& in = of.in;
  if (in.is_draining) {
    api_error error(503, "draining", "this server is being stopped");
    error.retry_after_ms = 1000;
    throw error;
  }
  // Those of a higher priority are served before those that wait.
  double patience_ms = wish.priority > 0 ? std::numeric_limits<double>::infinity() : double(in.queue_time_max.count());
  for (const auto& limit : {wish.start_deadline, wish.deadline})
    if (limit) patience_ms = std::min(patience_ms, double(limit->count()));
  const auto verdict = model.load().ask(uint32_t(std::min<size_t>(sequences, UINT32_MAX)), of.body_bytes, patience_ms);
  if (verdict.is_admitted) return;
  const std::string later = std::to_string(verdict.retry_after_ms);
  throw refusal(in, "overloaded", "too many requests are waiting; try again in " + later + " ms", verdict.retry_after_ms);
}

std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  bool is_kept, std::function<std::unique_ptr<generation_form>(const generation&)> form) {
  auto& in = of.in;
  auto& own = in.requests_of[of.who.tenant];
  if (of.who.requests_max > 0 && own >= of.who.requests_max)
    throw refusal(in, "too_many_requests", "this key may have " + std::to_string(of.who.requests_max) + " requests under way", 1000);
  const auto sequences = uint32_t(requests.size());
  // Where it was predicted wrongly that a request will not wait long. Starting takes some time on a busy machine, too.
  const auto room = std::max(2 * in.queue_time_max, std::chrono::milliseconds(1000));
  bool has_deadline = false;
  for (auto& one : requests) {
    has_deadline |= one.deadline || one.start_deadline;
    if (!one.start_deadline && one.priority <= 0) one.start_deadline = room;
  }
  const auto made = generation::start(model, std::move(requests), std::move(form));
  if (!has_deadline) made->retry_after = room;
  ++own;
  model.load().begun(sequences, of.body_bytes);
  const std::pair<std::string, std::string> names[] = {{of.who.tenant, name}, {of.who.tenant, of.exchange->asked().id}};
  std::vector<decltype(in.under_way)::iterator> places;
  for (const auto& one : names) places.push_back(in.under_way.emplace(one, made));
  made->on_end = [&in, &model, tenant = of.who.tenant, places, sequences, bytes = of.body_bytes](const generation& ended,
                                                                                                 const api_error* failure) {
    model.load().ended(sequences, bytes, steady_ns());
    for (const auto& place : places) in.under_way.erase(place);
    if (--in.requests_of.at(tenant) == 0) in.requests_of.erase(tenant);
    in.metrics.ended(ended, failure);
  };
  if (!is_kept)
    of.exchange->on_gone([weak = std::weak_ptr(made)] {
      if (const auto running = weak.lock()) running->cancel();
    });
  return made;
}

void run_in_background(call& of, std::function<std::function<void()>()> work) {
  const auto failed = [exchange = of.exchange](const std::string& reason) {
    respond_error(*exchange, api_error(500, "internal_error", reason), api_form::openai);
  };
  if (!of.in.jobs.run(std::move(work), failed)) throw api_error(503, "busy", "too many such requests are under way");
}

bool cancel(context& in, const std::string& name, const caller& who) {
  const auto [begin, end] = in.under_way.equal_range({who.tenant, name});
  for (auto it = begin; it != end; ++it)
    if (const auto running = it->second.lock()) running->cancel();
  return begin != end;
}

} // namespace troupe::service
