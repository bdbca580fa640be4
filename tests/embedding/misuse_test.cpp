// Goal: whatever a program does around its engines, nothing is lost, nothing is left over, nothing of the program is changed.
#include "embedding/embedded_models.hpp"
#include "support/catch.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace troupe {
namespace {

using namespace std::chrono_literals;
using testing::numbered_request;
using testing::small_model;

size_t entries_of(const char* folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}
size_t open_files() { return entries_of("/proc/self/fd"); }
size_t running_threads() { return entries_of("/proc/self/task"); }

/// Threads that were told to end are in the list for a moment.
bool comes_down_to(size_t threads) {
  const auto end = std::chrono::steady_clock::now() + 5s;
  while (running_threads() > threads && std::chrono::steady_clock::now() < end) std::this_thread::sleep_for(1ms);
  return running_threads() <= threads;
}

/// How many threads of the process take SIGALRM, and so may be interrupted by it.
uint32_t threads_that_take_alarms() {
  uint32_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(thread.path() / "status");
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("SigBlk:")) count += (std::stoull(line.substr(7), nullptr, 16) >> (SIGALRM - 1) & 1) == 0;
  }
  return count;
}

std::atomic<uint32_t> alarms = 0;

sigset_t mask_now() {
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  return mask;
}
bool are_equal(const sigset_t& a, const sigset_t& b) {
  for (int signal = 1; signal < SIGRTMAX; ++signal)
    if (sigismember(&a, signal) != sigismember(&b, signal)) return false;
  return true;
}

} // namespace

TEST_CASE("four engines beside each other, started and stopped again and again, leave no thread and no file behind") {
  constexpr uint32_t count = 4;
  const auto wanted = testing::undisturbed_answers(count);
  const size_t threads = running_threads(), files = open_files();
  for (uint32_t round = 0; round < testing::rounds(12); ++round) {
    std::vector<std::unique_ptr<engine>> engines;
    for (uint32_t i = 0; i < count; ++i) engines.push_back(std::make_unique<engine>(small_model(), engine_options{.threads = 2}));
    {
      std::vector<event_client> clients;
      std::vector<std::future<expected<answer>>> asked;
      for (auto& one : engines) clients.push_back(one->connect_async());
      for (auto& client : clients)
        for (uint32_t i = 0; i < count; ++i) asked.push_back(client.ask(numbered_request(i)));
      for (uint32_t i = 0; i < asked.size(); ++i) CHECK(asked[i].get().value().tokens == wanted[i % count]);
    }
    std::swap(engines[round % count], engines.back()); // Stopped in another order each time.
    for (; !engines.empty(); engines.pop_back()) CHECK(engines.back()->stop() == 0);
  }
  CHECK(comes_down_to(threads));
  CHECK(open_files() == files);
}

TEST_CASE("engines that are destroyed with requests under way end in time and leave nothing behind") {
  const auto model = small_model(); // Its file stays open.
  const size_t threads = running_threads(), files = open_files();
  for (uint32_t round = 0; round < testing::rounds(20); ++round) {
    std::vector<std::future<expected<answer>>> asked;
    {
      engine engine{small_model(), {.threads = 2}};
      auto client = engine.connect_async();
      for (uint32_t i = 0; i < 16; ++i) asked.push_back(client.ask(numbered_request(i, 500)));
      if (round % 2 == 0) std::this_thread::sleep_for(2ms);
    }
    for (auto& one : asked) CHECK(testing::was_cancelled_or_done(one.get(), 500));
  }
  CHECK(comes_down_to(threads));
  CHECK(open_files() == files);
}

TEST_CASE("64 threads call one client at the same time, in all forms, and each gets its own answer") {
  constexpr uint32_t threads = 64, each = 4;
  const auto wanted = testing::undisturbed_answers(8);
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  std::atomic<uint32_t> right = 0, cancelled = 0, ended_well = 0;
  {
    std::vector<std::jthread> callers;
    for (uint32_t t = 0; t < threads; ++t)
      callers.emplace_back([&, t] {
        for (uint32_t i = 0; i < each; ++i) {
          const uint32_t number = (t + i) % 8;
          std::vector<uint32_t> tokens;
          if (i % 3 == 0) {
            tokens = client.ask(numbered_request(number)).get().value().tokens;
          } else if (i % 3 == 1) {
            for (const auto& event : client.stream(numbered_request(number)))
              if (event.kind == event_kind::token) tokens.push_back(event.token);
          } else {
            std::promise<void> done;
            client.submit(numbered_request(number), [&](const generation_event& event) {
              if (event.kind == event_kind::token) tokens.push_back(event.token);
              else done.set_value();
            });
            done.get_future().get();
          }
          right += tokens == wanted[number];
          std::stop_source stop;
          auto later = client.ask(numbered_request(number, 500), stop.get_token());
          stop.request_stop();
          const auto ended = later.get();
          ended_well += testing::was_cancelled_or_done(ended, 500);
          cancelled += ended->reason == finish_reason::cancelled;
          engine.statistics();
        }
      });
  }
  CHECK(right == threads * each);
  CHECK(ended_well == threads * each);
  CHECK(cancelled > threads * each / 2);
}

TEST_CASE("streams, callbacks, futures and coroutines cost no thread, but for the one of their client") {
  engine engine{small_model(), {.threads = 2}};
  const size_t before = running_threads();
  auto client = engine.connect_async();
  std::vector<event_stream> streams;
  std::vector<std::future<expected<answer>>> asked;
  for (uint32_t i = 0; i < 100; ++i) {
    streams.push_back(client.stream(numbered_request(i, 500)));
    asked.push_back(client.ask(numbered_request(i, 500)));
    client.submit(numbered_request(i, 500), [](const generation_event&) {});
  }
  REQUIRE(streams.front().next() != nullptr);
  CHECK(running_threads() == before + 1);
}

TEST_CASE("a stream may outlive its client and its engine") {
  std::optional<event_stream> unread, read;
  {
    engine engine{small_model(), {.threads = 2}};
    auto client = engine.connect_async();
    unread.emplace(client.stream(numbered_request(0, 500)));
    read.emplace(client.stream(numbered_request(1, 500)));
  }
  uint32_t last_events = 0;
  for (const auto& event : *read) last_events += event.kind == event_kind::finished;
  CHECK(last_events == 1);
  read->cancel();
}

TEST_CASE("a program that forks keeps its streams, and its child may run another program") {
  const auto wanted = testing::undisturbed_answers(4, 300);
  engine engine{small_model(), {.threads = 2}};
  auto client = engine.connect_async();
  std::vector<std::future<expected<answer>>> asked;
  for (uint32_t i = 0; i < 4; ++i) asked.push_back(client.ask(numbered_request(i, 300)));
  for (uint32_t round = 0; round < testing::rounds(10); ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      if (round % 2 == 0) _exit(7);
      execl("/bin/sh", "sh", "-c", "exit 7", nullptr);
      _exit(1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 7);
  }
  for (uint32_t i = 0; i < 4; ++i) CHECK(asked[i].get().value().tokens == wanted[i]);
}

TEST_CASE("an engine changes no signal mask, and signals of the process come to the program's threads only") {
  const auto wanted = testing::undisturbed_answers(4, 300);
  alarms = 0;
  struct sigaction action = {}, before = {};
  action.sa_handler = [](int) { ++alarms; };
  sigaction(SIGALRM, &action, &before);
  sigset_t usr1, old;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &usr1, &old);
  const auto mask = mask_now();
  const auto taking = threads_that_take_alarms();
  {
    engine engine{small_model(), {.threads = 2}};
    auto client = engine.connect_async();
    CHECK(are_equal(mask, mask_now()));
    CHECK(threads_that_take_alarms() == taking);
    const itimerval often{{0, 500}, {0, 500}}, never{};
    setitimer(ITIMER_REAL, &often, nullptr);
    std::vector<std::future<expected<answer>>> asked;
    for (uint32_t i = 0; i < 4; ++i) asked.push_back(client.ask(numbered_request(i, 300)));
    sigset_t more;
    sigfillset(&more);
    sigdelset(&more, SIGALRM);
    pthread_sigmask(SIG_SETMASK, &more, nullptr); // Changed while it runs.
    for (uint32_t i = 0; i < 4; ++i) CHECK(asked[i].get().value().tokens == wanted[i]);
    setitimer(ITIMER_REAL, &never, nullptr);
  }
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  sigaction(SIGALRM, &before, nullptr);
  CHECK(alarms > 0);
}

TEST_CASE("an engine writes neither to standard output nor to standard error, whatever happens to its actors") {
  int out[2];
  REQUIRE(pipe(out) == 0);
  const int kept_out = dup(STDOUT_FILENO), kept_err = dup(STDERR_FILENO);
  fflush(stdout);
  dup2(out[1], STDOUT_FILENO);
  dup2(out[1], STDERR_FILENO);
  {
    engine engine{small_model(), {.threads = 2}};
    auto client = engine.connect_async();
    auto asked = client.ask(numbered_request(1, 300));
    for (const auto& actor : engine.actors())
      if (actor.path != "/") engine.kill(actor.path);
    (void) asked.get();
    client.submit(numbered_request(2), [](const generation_event&) { throw 1; });
  }
  fflush(stdout);
  dup2(kept_out, STDOUT_FILENO);
  dup2(kept_err, STDERR_FILENO);
  close(kept_out);
  close(kept_err);
  close(out[1]);
  char written[256] = {};
  const auto bytes = read(out[0], written, sizeof written - 1);
  close(out[0]);
  CHECK(std::string(written) == "");
  CHECK(bytes == 0);
}

} // namespace troupe
