// What the forms of a call cost: 32 streams at once, each as long as TOKENS, by troupe::client, which waits in the thread of the
// caller and has no other, and by each form of event_client. Rounds of all are done in turn; medians of tokens per
// second, and of the process's CPU time, which other programs on the machine disturb less.
//
//   library_benchmarks MODEL [ROUNDS [TOKENS]]
#include "actors/engine.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <chrono>
#include <coroutine>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <latch>
#include <thread>

namespace troupe {
namespace {

using clock = std::chrono::steady_clock;
constexpr uint32_t streams = 32;

generate_request numbered_request(uint32_t number, uint32_t tokens) {
  generate_request request;
  request.prompt = {1 + number, 2, 3};
  request.tokens_max = tokens;
  request.ignore_end_of_generation = true;
  return request;
}

uint64_t bare(engine& on, uint32_t tokens) {
  auto client = on.connect();
  for (uint32_t i = 0; i < streams; ++i) client.submit(numbered_request(i, tokens));
  uint64_t received = 0;
  while (const auto event = client.next()) received += event->kind == event_kind::token;
  return received;
}

uint64_t by_function(engine& on, uint32_t tokens) {
  uint64_t received = 0;
  std::latch done(streams);
  auto client = on.connect_async();
  for (uint32_t i = 0; i < streams; ++i)
    client.submit(numbered_request(i, tokens), [&](const generation_event& event) {
      if (event.kind == event_kind::token) ++received;
      else done.count_down();
    });
  done.wait();
  return received;
}

uint64_t by_range(engine& on, uint32_t tokens) {
  auto client = on.connect_async();
  std::vector<event_stream> all;
  for (uint32_t i = 0; i < streams; ++i) all.push_back(client.stream(numbered_request(i, tokens)));
  uint64_t received = 0;
  for (auto& stream : all)
    for (const auto& event : stream) received += event.kind == event_kind::token;
  return received;
}

uint64_t by_future(engine& on, uint32_t tokens) {
  auto client = on.connect_async();
  std::vector<std::future<expected<answer>>> all;
  for (uint32_t i = 0; i < streams; ++i) all.push_back(client.ask(numbered_request(i, tokens)));
  uint64_t received = 0;
  for (auto& one : all) received += one.get().value().tokens.size();
  return received;
}

struct task {
  struct promise_type {
    task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

task wait_for(event_client& client, uint32_t number, uint32_t tokens, uint64_t& received, std::latch& done) {
  const auto found = co_await client.answer_to(numbered_request(number, tokens));
  received += found->tokens.size();
  done.count_down();
}

uint64_t by_coroutine(engine& on, uint32_t tokens) {
  uint64_t received = 0;
  std::latch done(streams);
  auto client = on.connect_async();
  for (uint32_t i = 0; i < streams; ++i) wait_for(client, i, tokens, received, done);
  done.wait();
  return received;
}

double cpu_seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

size_t running_threads() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int run(const char* path, uint32_t rounds, uint32_t tokens) {
  engine on{open_model(path), {}};
  const size_t before = running_threads();
  struct form {
    const char* name;
    uint64_t (*run)(engine&, uint32_t);
    std::vector<double> rates = {}, times = {}, cpu = {}, cpu_times = {}; // times: of the bare client's in the same round.
  };
  form all[] = {{"bare client", bare}, {"function", by_function}, {"range", by_range}, {"future", by_future}, {"coroutine", by_coroutine}};
  for (auto& one : all) one.run(on, tokens); // Warm.
  for (uint32_t i = 0; i < rounds; ++i)
    for (auto& one : all) {
      const auto start = clock::now();
      const double cpu_start = cpu_seconds();
      const uint64_t received = one.run(on, tokens);
      one.rates.push_back(double(received) / std::chrono::duration<double>(clock::now() - start).count());
      one.cpu.push_back((cpu_seconds() - cpu_start) / double(received));
      one.times.push_back(all[0].rates.back() / one.rates.back());
      one.cpu_times.push_back(one.cpu.back() / all[0].cpu.back());
    }
  {
    auto client = on.connect_async();
    std::vector<event_stream> open;
    for (uint32_t i = 0; i < streams; ++i) open.push_back(client.stream(numbered_request(i, tokens)));
    std::printf("threads: %zu of the engine, %zu with %u streams\n", before, running_threads(), streams);
  }
  for (const auto& one : all)
    std::printf("%-12s %9.0f tokens/s (time x %.3f), CPU time %7.1f us/token (x %.3f)\n", one.name, median(one.rates), median(one.times),
                1e6 * median(one.cpu), median(one.cpu_times));
  return 0;
}

} // namespace
} // namespace troupe

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: library_benchmarks MODEL [ROUNDS [TOKENS]]\n");
    return 2;
  }
  try {
    const int rounds = count > 2 ? std::atoi(arguments[2]) : 9, tokens = count > 3 ? std::atoi(arguments[3]) : 200;
    return troupe::run(arguments[1], uint32_t(rounds), uint32_t(tokens));
  } catch (const troupe::input_error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
