#include "apps/service/serving/start.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/kept_requests.hpp"

#include <algorithm>
#include <chrono>
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

/// For a request that an earlier process admitted.
void go_on(generate_request& request, int64_t created) {
  request.was_admitted = true;
  request.start_deadline.reset();
  const std::chrono::milliseconds passed(1000 * std::max<int64_t>(0, unix_time() - created));
  if (request.deadline) request.deadline = std::max(*request.deadline - passed, std::chrono::milliseconds(1));
}

} // namespace

served_model& find_model(const call& of, const json_node& body) {
  const bool is_restored = of.kept && of.kept->is_restored; // The default model may be another one by now.
  return find_model(of.in, is_restored ? of.kept->facts.model() : text_field(body, "model", ""));
}

void admit(call& of, served_model& model, size_t bytes, const generation_fields& fields) {
  auto& in = of.in;
  if (of.kept && of.kept->is_restored) return; // It was admitted.
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
  auto& room = in.queue_time_max;
  const bool is_restored = of.kept && of.kept->is_restored;
  for (auto& one : requests) {
    if (is_restored) go_on(one, of.drawn.created);
    else if (!one.start_deadline && one.priority <= 0) one.start_deadline = 2 * room; // What was predicted wrongly.
  }
  const auto made = generation::start(model, std::move(requests), std::move(form), of.kept ? in.kept->keeper(of.kept) : event_keeper());
  if (of.kept) in.kept->started(of.kept, made);
  if (made->is_over()) return made; // All of it was in the journal.
  counts.begun(sequences, bytes);
  const std::string request_id = of.exchange->asked().id;
  in.under_way[name] = in.under_way[request_id] = {made, of.who.tenant};
  made->on_end = [&in, &counts, name, request_id, sequences, bytes, kept = of.kept](const generation& ended, const api_error* failure) {
    counts.ended(sequences, bytes, steady_ns());
    in.under_way.erase(name);
    in.under_way.erase(request_id);
    in.metrics.ended(ended, failure);
    if (kept) in.kept->ended(kept);
  };
  if (is_kept || of.kept) return made;
  const auto cancel_it = [weak = std::weak_ptr(made)] {
    if (const auto running = weak.lock()) running->cancel();
  };
  if (of.log) of.log->when_abandoned(cancel_it);
  else of.exchange->on_gone(cancel_it);
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
