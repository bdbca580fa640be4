#include "apps/troupe/chaos/chaos_run.hpp"
#include "apps/troupe/cli/session.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include "model/error.hpp"
#include <map>

namespace troupe {
namespace {

using steady = std::chrono::steady_clock;

double ms_since(steady::time_point start) {
  return std::chrono::duration<double, std::milli>(steady::now() - start).count();
}

void take(run_record& record, size_t place, const generation_event& event, double now_ms) {
  auto& one = record.requests[place];
  if (event.kind == event_kind::token) {
    one.tokens.push_back(event.token);
    ++record.tokens;
  }
  if (event.kind == event_kind::logits || event.kind == event_kind::hidden_states)
    place_rows(one.rows[{event.kind, event.of_encoder, event.layer}], event);
  if (event.kind == event_kind::finished) {
    one.finished = true;
    one.hypotheses = event.hypotheses;
    one.reason = event.reason;
    one.error = event.error;
  }
  one.text += event.text;
  one.event_ms.push_back(now_ms);
}

constexpr std::chrono::milliseconds check_every{50};

/// Notes in the record when the run is to end early.
bool ends_early(run_record& record, double silent_ms, std::chrono::milliseconds silence_max, const run_watcher& go_on) {
  record.signal = interrupt_guard::signal();
  record.ended_early = silent_ms > double(silence_max.count()) || !go_on(record) || record.signal != 0;
  return record.ended_early;
}

void take_all(client& from, run_record& record, const std::map<uint64_t, size_t>& places, steady::time_point start,
              std::chrono::milliseconds silence_max, const run_watcher& go_on) {
  interrupt_guard guard;
  double last_ms = 0;
  while (from.pending() > 0) {
    const auto event = from.next(check_every);
    const double now = ms_since(start);
    if (event) {
      last_ms = now;
      take(record, places.at(event->request), *event, now);
    }
    if (ends_early(record, now - last_ms, silence_max, go_on)) return;
  }
  while (const auto event = from.next()) take(record, places.at(event->request), *event, ms_since(start));
}

/// Until the last step is done.
void train(training_engine& on, run_record& record, uint64_t steps, steady::time_point start, std::chrono::milliseconds silence_max,
           const run_watcher& go_on) {
  interrupt_guard guard;
  auto& run = record.requests.front();
  double last_ms = 0;
  while (run.losses.size() < steps) {
    on.train(run.losses.size() + 1 == steps);
    std::optional<training_figures> figures;
    while (!figures) {
      figures = on.wait(check_every);
      const double now = ms_since(start);
      if (figures) {
        last_ms = now;
        run.losses.push_back(figures->loss);
        run.event_ms.push_back(now);
      }
      if (ends_early(record, now - last_ms, silence_max, go_on)) return;
    }
  }
  run.weights = on.state();
  run.finished = true;
  run.reason = finish_reason::length;
}

} // namespace

run_record run_requests(engine& on, const std::vector<chaos_request>& requests, std::chrono::milliseconds silence_max,
                        const run_watcher& go_on) {
  run_record record;
  record.requests.resize(requests.size());
  {
    client from = on.connect();
    std::map<uint64_t, size_t> places;
    const auto start = steady::now();
    for (size_t i = 0; i < requests.size(); ++i) places[from.submit(requests[i].request)] = i;
    take_all(from, record, places, start, silence_max, go_on);
    record.wall_ms = ms_since(start);
    record.repeated = from.resubmitted();
    record.log = on.fault_log();
  }
  record.left_over = on.stop();
  return record;
}

run_record run_training(training_engine& on, uint64_t steps, std::chrono::milliseconds silence_max, const run_watcher& go_on) {
  run_record record;
  record.is_training = true;
  record.requests.resize(1);
  const auto start = steady::now();
  try {
    train(on, record, steps, start, silence_max, go_on);
  } catch (const input_error& error) {
    record.requests.front().finished = true;
    record.requests.front().error = error.what();
  }
  record.wall_ms = ms_since(start);
  record.repeated = on.updates_replayed();
  record.log = on.fault_log();
  record.left_over = on.stop();
  return record;
}

} // namespace troupe
