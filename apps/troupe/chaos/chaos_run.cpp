#include "apps/troupe/chaos/chaos_run.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include <map>

namespace troupe {
namespace {

using steady = std::chrono::steady_clock;

double ms_since(steady::time_point start) {
  return std::chrono::duration<double, std::milli>(steady::now() - start).count();
}

void take(request_record& one, const generation_event& event, double now_ms) {
  if (event.kind == event_kind::token) one.tokens.push_back(event.token);
  if (event.kind == event_kind::finished) {
    one.finished = true;
    one.reason = event.reason;
    one.error = event.error;
  }
  one.text += event.text;
  one.event_ms.push_back(now_ms);
}

void take_all(client& from, run_record& record, const std::map<uint64_t, size_t>& places, steady::time_point start,
              std::chrono::milliseconds silence_max, const run_watcher& go_on) {
  constexpr std::chrono::milliseconds check_every{50};
  interrupt_guard guard;
  double last_ms = 0;
  while (from.pending() > 0) {
    const auto event = from.next(check_every);
    const double now = ms_since(start);
    if (event) {
      last_ms = now;
      take(record.requests[places.at(event->request)], *event, now);
    }
    record.signal = interrupt_guard::signal();
    record.ended_early = now - last_ms > double(silence_max.count()) || !go_on(record) || record.signal != 0;
    if (record.ended_early) return;
  }
  while (const auto event = from.next()) take(record.requests[places.at(event->request)], *event, ms_since(start));
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
    record.resubmitted = from.resubmitted();
    record.log = on.fault_log();
  }
  record.left_over = on.stop();
  return record;
}

} // namespace troupe
