#include "apps/troupe/simulate/seed_run.hpp"
#include "apps/troupe/cli/command.hpp"
#include "apps/troupe/cli/terminal.hpp"
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace troupe {
namespace {

using json = nlohmann::ordered_json;
using testing::trial_report;

/// A process that runs every jobs'th seed from `next` on, and prints a line for each into a pipe.
struct worker {
  pid_t process = -1;
  int pipe = -1;
  uint64_t next = 0; // The seed whose line comes next.
  std::string unread;
};

std::string to_line(const trial_report& report) {
  json line{{"seed", report.seed},         {"problem", report.problem},         {"steps", report.steps},
            {"restarts", report.restarts}, {"repeated", report.repeated}, {"liveness", report.liveness.count()},
            {"by_kind", report.injected.by_kind}, {"targets", report.injected.targets}, {"plan", report.injected.plan},
            {"messages", report.injected.messages}, {"affected_messages", report.injected.affected_messages}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

trial_report from_line(const std::string& text) {
  const json line = json::parse(text);
  trial_report report;
  line.at("seed").get_to(report.seed);
  line.at("problem").get_to(report.problem);
  line.at("steps").get_to(report.steps);
  line.at("restarts").get_to(report.restarts);
  line.at("repeated").get_to(report.repeated);
  report.liveness = caf::timespan(line.at("liveness").get<int64_t>());
  line.at("by_kind").get_to(report.injected.by_kind);
  line.at("targets").get_to(report.injected.targets);
  line.at("plan").get_to(report.injected.plan);
  line.at("messages").get_to(report.injected.messages);
  line.at("affected_messages").get_to(report.injected.affected_messages);
  return report;
}

void write_line(int to, const std::string& line) {
  for (size_t at = 0; at < line.size();) {
    const ssize_t written = ::write(to, line.data() + at, line.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) ::_exit(1); // The parent has closed the pipe.
    at += size_t(written);
  }
}

worker start_worker(const seed_trial& trial, uint64_t first, uint64_t last, uint32_t stride) {
  int ends[2];
  if (::pipe(ends) != 0) throw run_error("cannot make a pipe");
  const pid_t process = ::fork();
  if (process < 0) throw run_error("cannot start a process");
  if (process > 0) {
    ::close(ends[1]);
    return {process, ends[0], first, {}};
  }
  ::close(ends[0]);
  std::signal(SIGINT, SIG_IGN); // The parent ends us.
  for (uint64_t seed = first; seed <= last && seed >= first; seed += stride) {
    trial_report report;
    try {
      report = trial(seed);
    } catch (const std::exception& error) {
      report.seed = seed;
      report.problem = std::string("exception: ") + error.what();
    }
    write_line(ends[1], to_line(report));
  }
  ::_exit(0);
}

/// Reads what has come. False: it has closed its pipe.
bool read_some(worker& from) {
  char buffer[1 << 16];
  const ssize_t got = ::read(from.pipe, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return true;
  if (got <= 0) return false;
  from.unread.append(buffer, size_t(got));
  return true;
}

void take_lines(worker& from, uint32_t stride, seed_totals& totals) {
  size_t start = 0;
  for (size_t end; (end = from.unread.find('\n', start)) != std::string::npos; start = end + 1) {
    const auto report = from_line(from.unread.substr(start, end - start));
    from.next = report.seed + stride;
    totals.add(report);
  }
  from.unread.erase(0, start);
}

/// Waits for its end, and says what became of the seed it was at.
void reap(worker& dead, uint64_t last, seed_totals& totals) {
  ::close(dead.pipe);
  dead.pipe = -1;
  int status = 0;
  while (::waitpid(dead.process, &status, 0) < 0 && errno == EINTR) {}
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  if (totals.signal != 0 || dead.next > last) return;
  const auto how = WIFSIGNALED(status) ? "signal " + std::to_string(WTERMSIG(status)) : "an early exit";
  totals.failed.push_back({dead.next, "the process ended by " + how});
  ++totals.seeds;
}

} // namespace

seed_range parse_seeds(const std::string& text) {
  seed_range seeds;
  const char* const end = text.data() + text.size();
  auto [after, problem] = std::from_chars(text.data(), end, seeds.first);
  seeds.last = seeds.first;
  if (problem == std::errc{} && after + 2 < end && after[0] == '.' && after[1] == '.') {
    const auto second = std::from_chars(after + 2, end, seeds.last);
    after = second.ptr;
    problem = second.ec;
  }
  if (problem != std::errc{} || after != end || seeds.last < seeds.first || seeds.last == UINT64_MAX)
    throw usage_error("--seeds: \"" + text + "\" is not a range like 1..1000, nor one seed like 4711");
  return seeds;
}

void seed_totals::add(const trial_report& report) {
  ++seeds;
  steps += report.steps;
  restarts += report.restarts;
  repeated += report.repeated;
  liveness_max = std::max<std::chrono::nanoseconds>(liveness_max, report.liveness);
  injected.add(report.injected);
  if (!report.problem.empty()) failed.push_back({report.seed, report.problem});
}

seed_totals run_seeds(const seed_trial& trial, seed_range seeds, uint32_t jobs, bool stop_at_first,
                      const std::function<void(const seed_totals&)>& progress) {
  const auto start = std::chrono::steady_clock::now();
  interrupt_guard guard;
  seed_totals totals;
  std::vector<worker> workers;
  jobs = uint32_t(std::min<uint64_t>(jobs, seeds.count()));
  for (uint32_t i = 0; i < jobs; ++i) workers.push_back(start_worker(trial, seeds.first + i, seeds.last, jobs));
  const auto is_over = [&] { return std::none_of(workers.begin(), workers.end(), [](auto& w) { return w.pipe >= 0; }); };
  bool stopping = false;
  while (!is_over()) {
    if (!stopping && (interrupt_guard::signal() != 0 || (stop_at_first && !totals.failed.empty()))) {
      stopping = true;
      totals.signal = interrupt_guard::signal();
      for (const auto& one : workers)
        if (one.pipe >= 0) ::kill(one.process, SIGKILL);
    }
    std::vector<pollfd> wait;
    for (const auto& one : workers) wait.push_back({one.pipe, POLLIN, 0}); // A negative descriptor is passed over.
    ::poll(wait.data(), wait.size(), 100);
    for (size_t i = 0; i < workers.size(); ++i) {
      if (wait[i].fd < 0 || wait[i].revents == 0) continue;
      const bool is_open = read_some(workers[i]);
      take_lines(workers[i], jobs, totals);
      if (is_open) continue;
      if (stopping) workers[i].next = UINT64_MAX; // We ended it.
      reap(workers[i], seeds.last, totals);
    }
    totals.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    progress(totals);
  }
  std::sort(totals.failed.begin(), totals.failed.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  return totals;
}

} // namespace troupe
