#include "apps/service/serving/start.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/kept_requests.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

namespace troupe::service {
namespace {

int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

api_error refusal(context& in, const char* code, const std::string& reason, uint32_t retry_after_ms) {
  ++in.metrics.refused;
  api_error error(429, code, reason);
  error.retry_after_ms = retry_after_ms;
  return error;
}

bool is_restored(const call& of) { return of.kept && of.kept->is_restored; }

/// For a request that an earlier process admitted. It may be held for a while.
void go_on(generate_request& request, int64_t created) {
  request.was_admitted = true;
  request.start_deadline.reset();
  const std::chrono::milliseconds passed(1000 * std::max<int64_t>(0, unix_time() - created));
  if (!request.deadline) return;
  request.deadline_at = std::chrono::steady_clock::now() + std::max(*request.deadline - passed, std::chrono::milliseconds(1));
  request.deadline.reset();
}

} // namespace

served_model& find_model(const call& of, const json_node& body) {
  // The default model may be another one by now.
  return find_model(of.in, is_restored(of) ? of.kept->facts.model() : text_field(body, "model", ""));
}

void admit(call& of, served_model& model, size_t sequences, const generate_request& wish) {
  auto& in = of.in;
  if (is_restored(of)) return; // It was admitted.
  if (in.is_draining) {
    api_error error(503, "draining", "this server is being stopped");
    error.retry_after_ms = 1000;
    throw error;
  }
  if (in.kept->tries_suspects()) {
    ++in.metrics.refused;
    api_error error(503, "recovering", "this server has ended twice, and tries one by one the requests that it may have been");
    error.retry_after_ms = 1000;
    throw error;
  }
  if (of.body_bytes > model.load().bytes_max())
    throw api_error(413, "body_too_large", "a request to this model may have " + std::to_string(model.load().bytes_max()) + " bytes");
  // Those of a higher priority are served before those that wait.
  double patience_ms = wish.priority > 0 ? std::numeric_limits<double>::infinity() : double(in.queue_time_max.count());
  for (const auto& limit : {wish.start_deadline, wish.deadline})
    if (limit) patience_ms = std::min(patience_ms, double(limit->count()));
  const auto count = uint32_t(std::min<size_t>(sequences, UINT32_MAX));
  const auto verdict = model.load().ask(of.who.tenant, of.who.weight, count, of.body_bytes, patience_ms);
  if (verdict.is_admitted) return;
  const std::string later = std::to_string(verdict.retry_after_ms);
  throw refusal(in, "overloaded", "too many requests are waiting; try again in " + later + " ms", verdict.retry_after_ms);
}

namespace {

void require_room_of_key(const call& of) {
  const auto own = of.in.requests_of.find(of.who.tenant);
  if (of.who.requests_max > 0 && own != of.in.requests_of.end() && own->second >= of.who.requests_max)
    throw refusal(of.in, "too_many_requests", "this key may have " + std::to_string(of.who.requests_max) + " requests under way", 1000);
}

void take_place(context& in, const std::string& tenant) { ++in.requests_of[tenant]; }
void leave_place(context& in, const std::string& tenant) {
  if (--in.requests_of.at(tenant) == 0) in.requests_of.erase(tenant);
}

auto enter_names(call& of, const std::string& name, const std::function<void()>& cancel) {
  std::vector<decltype(of.in.under_way)::iterator> places;
  for (const auto& one : {name, std::string(of.exchange->asked().id)})
    places.push_back(of.in.under_way.emplace(std::pair(of.who.tenant, one), request_under_way{cancel, of.kept}));
  return places;
}

} // namespace

request_claim::request_claim(call& of, served_model& model, const std::string& name, std::function<void()> cancel)
  : in_(of.in), in_lives_(of.in.lives), model_(model), tenant_(of.who.tenant), bytes_(of.body_bytes) {
  require_room_of_key(of);
  take_place(in_, tenant_);
  ++in_.claims;
  model_.load().begun(tenant_, of.who.weight, 1, 0, bytes_);
  places_ = enter_names(of, name, cancel);
  of.exchange->on_gone(std::move(cancel));
}

request_claim::~request_claim() {
  if (in_lives_.expired()) return;
  for (const auto& place : places_) in_.under_way.erase(place);
  model_.load().ended(tenant_, 1, 0, bytes_);
  --in_.claims;
  leave_place(in_, tenant_);
}

std::shared_ptr<generation> start(call& of, served_model& model, const std::string& name, std::vector<generate_request> requests,
                                  std::function<std::unique_ptr<generation_form>(const generation&)> form) {
  auto& in = of.in;
  const bool is_part = of.claim != nullptr;
  if (!is_restored(of) && !is_part) require_room_of_key(of);
  // Where it was predicted wrongly that a request will not wait long. Starting takes some time on a busy machine, too.
  const auto room = std::max(2 * in.queue_time_max, std::chrono::milliseconds(1000));
  bool has_deadline = false;
  for (auto& one : requests) {
    has_deadline |= one.deadline || one.start_deadline;
    if (is_restored(of)) go_on(one, of.drawn.created);
    else if (!one.start_deadline && one.priority <= 0 && !one.was_admitted) one.start_deadline = room;
  }
  const auto made = generation::start(model, std::move(requests), std::move(form), has_deadline ? std::nullopt : std::optional(room),
                                      of.kept ? in.kept->keeper(of.kept) : event_keeper());
  if (of.kept) in.kept->started(of.kept, made);
  if (made->is_over()) return made; // All of it was in the journal.
  const auto cancel_it = [weak = std::weak_ptr(made)] {
    if (const auto running = weak.lock()) running->cancel();
  };
  const size_t bytes = is_part ? 0 : of.body_bytes; // Else the claim has them.
  model.load().begun(of.who.tenant, of.who.weight, is_part ? 0 : uint32_t(made->choices().size()), made->not_started(), bytes);
  made->on_first_token = [&model, tenant = of.who.tenant] { model.load().started(tenant, steady_ns()); };
  std::vector<decltype(in.under_way)::iterator> places;
  if (!is_part) {
    take_place(in, of.who.tenant);
    places = enter_names(of, name, cancel_it);
  }
  made->on_end = [&in, &model, tenant = of.who.tenant, name, id = of.exchange->asked().id, places, bytes, is_part,
                  kept = of.kept](const generation& ended, const api_error* failure) {
    model.load().ended(tenant, is_part ? 0 : uint32_t(ended.choices().size()), ended.not_started(), bytes);
    in.metrics.ended(ended, failure);
    if (is_part) return;
    for (const auto& place : places) in.under_way.erase(place);
    leave_place(in, tenant);
    if (in.log) in.log(record_of(ended, failure).add("name", name).add("id", id).add("tenant", tenant));
    if (kept) in.kept->ended(kept, failure);
  };
  if (of.kept || is_part) return made;
  if (of.log) of.log->when_abandoned(cancel_it);
  else of.exchange->on_gone(cancel_it);
  return made;
}

bool cancel(context& in, const std::string& name, const caller& who, const std::function<void(const api_error* failure)>& done) {
  const auto [begin, end] = in.under_way.equal_range({who.tenant, name});
  if (begin == end) return false;
  std::vector<request_under_way> all; // Whoever is cancelled may take its names away.
  for (auto it = begin; it != end; ++it) all.push_back(it->second);
  struct waiting {
    size_t left = 0;
    std::optional<api_error> failure = {};
  };
  const auto ends = std::make_shared<waiting>(waiting{all.size()});
  for (const auto& one : all) {
    one.cancel();
    const auto is_sure = [ends, done](const api_error* failure) {
      if (failure) ends->failure = *failure;
      if (--ends->left == 0) done(ends->failure ? &*ends->failure : nullptr);
    };
    if (const auto kept = one.kept.lock()) in.kept->when_over(kept, is_sure);
    else is_sure(nullptr);
  }
  return true;
}

} // namespace troupe::service
