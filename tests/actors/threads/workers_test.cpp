#include "actors/threads/workers.hpp"

#include "actors/threads/work_queues.hpp"
#include "support/allocations.hpp"
#include "support/catch.hpp"

#include <caf/all.hpp>
#include <caf/scheduler/test_coordinator.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <numeric>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace troupe;
using namespace std::chrono_literals;

namespace {

using clock_type = std::chrono::steady_clock;
using ping_atom = caf::atom_constant<caf::atom("ping")>;

// On a cache line of its own, as actors are: jobs on the same one would share their affinity.
struct alignas(64) job {
  job* link = nullptr;
  std::size_t from = 0, number = 0; // Which thread added it, as its how many-th.
};

struct job_links {
  static job** of(job* one) { return &one->link; }
};

using queues_of_jobs = work_queues<job, job_links>;

struct test_system {
  explicit test_system(workers_options options, std::size_t throughput = 0) {
    configure_workers(config, options);
    if (throughput > 0)
      config.set("scheduler.max-throughput", throughput);
    system.emplace(config);
  }
  caf::actor_system_config config;
  std::optional<caf::actor_system> system;
};

// True when it became true within ten seconds: long enough for any machine, and only ever waited for by a
// bug.
bool eventually(const std::function<bool()>& condition) {
  const auto end = clock_type::now() + 10s;
  while (!condition()) {
    if (clock_type::now() > end)
      return false;
    std::this_thread::sleep_for(100us);
  }
  return true;
}

std::chrono::nanoseconds cpu_time() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return std::chrono::seconds(t.tv_sec) + std::chrono::microseconds(t.tv_usec);
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

void burn(std::chrono::nanoseconds time) {
  for (const auto end = clock_type::now() + time; clock_type::now() < end;) {
  }
}

// Passes a number on, one lower each time, to the next of its peers.
struct relay_state {
  std::vector<caf::actor> peers;
  std::size_t next = 0;
};

using relay_actor = caf::stateful_actor<relay_state>;

caf::behavior relay(relay_actor* self, std::atomic<uint64_t>* handled, std::atomic<uint64_t>* over) {
  return {[=](std::vector<caf::actor> peers) { self->state.peers = std::move(peers); },
          [=](int hops) {
            ++*handled;
            auto& state = self->state;
            if (hops == 0)
              ++*over;
            else
              self->send(state.peers[state.next++ % state.peers.size()], hops - 1);
          }};
}

} // namespace

TEST_CASE("every message is handled, with any number of threads", "[workers]") {
  const auto threads = GENERATE(1u, 2u, 4u);
  const auto pin = GENERATE(false, true);
  const auto awake_max = GENERATE(1u, 4u);
  INFO(threads << " threads, " << awake_max << " awake, pin " << pin);
  constexpr int actors = 40, tokens = 100, hops = 200;
  std::atomic<uint64_t> handled{0}, over{0};
  {
    test_system t{{.threads = threads, .awake_max = awake_max, .pin = pin}};
    std::vector<caf::actor> relays;
    for (int i = 0; i < actors; ++i)
      relays.push_back(t.system->spawn(relay, &handled, &over));
    for (const auto& r : relays)
      caf::anon_send(r, relays);
    for (int i = 0; i < tokens; ++i)
      caf::anon_send(relays[static_cast<std::size_t>(i % actors)], hops); // From outside while they run.
    CHECK(eventually([&] { return over == tokens; }));
    for (const auto& r : relays)
      caf::anon_send_exit(r, caf::exit_reason::user_shutdown); // They hold each other.
  }
  CHECK(handled == uint64_t{tokens} * (hops + 1));
}

TEST_CASE("no wake-up is lost: a message that arrives while the threads go to sleep is handled", "[workers]") {
  test_system t{{.threads = 2, .spin = 20us}};
  auto echo = t.system->spawn([]() -> caf::behavior { return {[](int x) { return x; }}; });
  caf::scoped_actor self{*t.system};
  for (int i = 0; i < 2000; ++i) {
    int answer = -1;
    self->request(echo, 10s, i).receive([&](int x) { answer = x; }, [](const caf::error&) {});
    REQUIRE(answer == i);
    burn(std::chrono::microseconds(i % 50)); // Ends before, while or after they go to sleep.
  }
}

TEST_CASE("a job queue is first in, first out", "[workers]") {
  std::vector<job> jobs(1000);
  job_queue<job, job_links> queue;
  CHECK(queue.take() == nullptr);
  std::size_t in = 0, out = 0;
  const auto take = [&] {
    REQUIRE(queue.size() == in - out);
    REQUIRE(queue.take() == &jobs[out++]);
  };
  for (const std::size_t burst : {50u, 60u, 200u, 690u}) {
    for (std::size_t i = 0; i < burst; ++i)
      queue.push(&jobs[in++]);
    for (std::size_t i = 0; i < burst / 2; ++i)
      take();
  }
  while (out < in)
    take();
  CHECK(queue.take() == nullptr);
}

TEST_CASE("a job that has no link of its own waits among others", "[workers]") {
  struct some_links {
    static job** of(job* one) { return one->number == 0 ? nullptr : &one->link; }
  };
  job_queue<job, some_links> queue;
  for (std::size_t before = 0; before < 4; ++before) {
    std::vector<job> jobs(4);
    for (std::size_t i = 0; i < jobs.size(); ++i)
      jobs[i].number = i == before ? 0 : 1;
    for (auto& one : jobs)
      queue.push(&one);
    for (auto& one : jobs)
      CHECK(queue.take() == &one);
    CHECK(queue.take() == nullptr);
  }
}

TEST_CASE("jobs that threads add and take at the same time are taken once, in the order in which each thread added them", "[workers]") {
  constexpr std::size_t producers = 2, consumers = 2, jobs_each = 20'000;
  std::vector<std::vector<job>> jobs(producers, std::vector<job>(jobs_each));
  job_queue<job, job_links> queue;
  std::atomic<std::size_t> left{producers * jobs_each};
  std::vector<std::vector<job*>> taken(consumers);
  std::vector<std::thread> threads;
  for (std::size_t p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (std::size_t i = 0; i < jobs_each; ++i) {
        jobs[p][i].from = p;
        jobs[p][i].number = i;
        queue.push(&jobs[p][i]);
      }
    });
  for (auto& own : taken)
    threads.emplace_back([&] {
      while (left > 0)
        if (auto* one = queue.take()) {
          own.push_back(one);
          --left;
        } else
          std::this_thread::yield();
    });
  for (auto& thread : threads)
    thread.join();
  CHECK(queue.size() == 0);
  std::vector<std::vector<int>> times(producers, std::vector<int>(jobs_each));
  for (const auto& own : taken) {
    std::vector<std::size_t> next(producers);
    std::size_t out_of_order = 0;
    for (const auto* one : own) {
      ++times[one->from][one->number];
      out_of_order += one->number < next[one->from];
      next[one->from] = one->number + 1;
    }
    CHECK(out_of_order == 0);
  }
  CHECK(times == std::vector(producers, std::vector(jobs_each, 1)));
}

TEST_CASE("to hand over a job takes no memory", "[workers]") {
  queues_of_jobs queues{2};
  std::vector<job> jobs(1000);
  std::size_t taken = 0;
  troupe::testing::allocation_count count;
  for (auto& one : jobs)
    queues.add(&one);
  for (std::size_t thread : {0u, 1u})
    while (queues.take(thread))
      ++taken;
  CHECK(count.allocations() == 0);
  CHECK(taken == jobs.size());
}

TEST_CASE("a job waits for the thread that ran it last, until another one is idle", "[workers]") {
  queues_of_jobs queues{2};
  std::vector<job> jobs(12); // Few enough that no thread searches the queues of others.
  for (auto& one : jobs) {
    queues.add(&one);
    for (const std::size_t thread : {0u, 1u, 0u}) {
      CHECK(queues.wait(thread, 1s) == &one); // Taken from the other thread's queue, or from its own.
      queues.add(&one);
      CHECK(queues.take(1 - thread) == nullptr);
    }
    CHECK(queues.take(0) == &one);
  }
  CHECK(queues.take_any() == nullptr);
}

TEST_CASE("no job starves in the queue of a thread that is busy, however busy the others are", "[workers]") {
  queues_of_jobs queues{2};
  job busy, behind;
  queues.add(&busy);
  REQUIRE(queues.wait(0, 1s) == &busy);
  queues.add(&behind);
  REQUIRE(queues.wait(1, 1s) == &behind);
  queues.add(&behind); // Thread 1 never comes back for it.
  int turns = 0;
  for (job* next = &busy; next != &behind && turns < 1000; ++turns) {
    queues.add(next);
    next = queues.take(0);
    REQUIRE(next);
  }
  CHECK(turns < 1000);
}

TEST_CASE("no job is left waiting while all threads sleep, however many may be awake", "[workers]") {
  // The same protocol as worker_policy, without CAF around it: here a sanitizer sees everything.
  constexpr int consumers = 3, producers = 2, jobs_each = 3000;
  queues_of_jobs queues{consumers, GENERATE(1u, 2u, 3u)};
  std::vector<std::atomic<int>> taken(consumers);
  std::vector<job> jobs(producers * jobs_each), stops(consumers);
  std::vector<std::thread> threads;
  for (std::size_t self = 0; self < consumers; ++self)
    threads.emplace_back([&, self] {
      const auto is_stop = [&](const job* one) { return one >= stops.data() && one < stops.data() + consumers; };
      for (job* one = nullptr; !is_stop(one); ++taken[self]) {
        one = queues.take(self);
        if (!one)
          one = queues.wait(self, std::chrono::microseconds(5 * self));
        if (!is_stop(one) && taken[self] % 11 == 0)
          burn(5us);
      }
      queues.leave(self);
    });
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      for (int i = 0; i < jobs_each; ++i) {
        queues.add(&jobs[static_cast<std::size_t>(p * jobs_each + i)]);
        if (i % 7 == p)
          burn(std::chrono::microseconds(i % 30));
      }
    });
  const auto all_taken = [&] { return std::accumulate(taken.begin(), taken.end(), 0); };
  CHECK(eventually([&] { return all_taken() == producers * jobs_each; }));
  for (auto& stop : stops)
    queues.add(&stop);
  for (auto& thread : threads)
    thread.join();
  CHECK(all_taken() == producers * jobs_each + consumers);
  CHECK(queues.take_any() == nullptr);
}

TEST_CASE("several actors that one actor sends messages to run at the same time", "[workers]") {
  const auto threads = GENERATE(2, 4);
  test_system t{{.threads = static_cast<uint32_t>(threads), .awake_max = static_cast<uint32_t>(threads)}};
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> arrived{0};
    std::atomic<int> met{0};
    auto meet = [&]() -> caf::behavior {
      return {[&](ping_atom) {
        ++arrived;
        for (const auto end = clock_type::now() + 5s; arrived < threads && clock_type::now() < end;)
          std::this_thread::yield();
        if (arrived == threads)
          ++met;
      }};
    };
    t.system->spawn([&](caf::event_based_actor* self) {
      for (int i = 0; i < threads; ++i)
        self->send(self->spawn(meet), ping_atom::value);
    });
    CHECK(eventually([&] { return met == threads; }));
  }
}

TEST_CASE("not more threads work at once than may be awake", "[workers]") {
  constexpr uint32_t threads = 6, awake_max = 2;
  test_system t{{.threads = threads, .awake_max = awake_max}};
  std::atomic<int> at_once{0}, most{0}, done{0};
  auto work = [&]() -> caf::behavior {
    return {[&](ping_atom) {
      const int now = ++at_once;
      if (done > 100) // Threads that have just begun are awake.
        for (int known = most; now > known && !most.compare_exchange_weak(known, now);) {}
      burn(200us);
      --at_once;
      ++done;
    }};
  };
  std::vector<caf::actor> workers;
  for (int i = 0; i < 12; ++i)
    workers.push_back(t.system->spawn(work));
  for (int round = 1; round <= 50; ++round) {
    for (const auto& worker : workers)
      caf::anon_send(worker, ping_atom::value);
    REQUIRE(eventually([&] { return done == 12 * round; }));
    std::this_thread::sleep_for(round < 10 ? 2ms : 0ms); // Lets all go to sleep.
  }
  CHECK(most >= 1);
  CHECK(most <= int(awake_max));
}

TEST_CASE("a thread that does not come back from a job is stuck after so many looks, until it comes back", "[workers]") {
  queues_of_jobs queues{2, SIZE_MAX, 1};
  CHECK(queues.threads_in_use() == 2);
  job first, second, last;
  std::atomic<bool> is_spare_done{false};
  std::thread spare([&] {
    while (queues.wait(2, 0ns) != &last) {}
    is_spare_done = true;
  });
  queues.add(&first);
  REQUIRE(queues.wait(0, 1s) == &first);
  queues.add(&second);
  REQUIRE(queues.wait(1, 1s) == &second);
  CHECK(queues.find_stuck(3) == 0);
  CHECK(queues.find_stuck(3) == 0);
  CHECK(queues.take(1) == nullptr); // Thread 1 comes back, and gets another job.
  queues.add(&second);
  REQUIRE(queues.wait(1, 1s) == &second);
  CHECK(queues.find_stuck(3) == 1); // Only thread 0: thread 1 is in another job than at the look before.
  CHECK(queues.find_stuck(3) == 1);
  CHECK(queues.threads_in_use() == 3);
  CHECK(queues.find_stuck(3) == 1);
  CHECK(queues.find_stuck(3) == 2);
  CHECK(queues.threads_in_use() == 3); // There is no other.
  queues.add(&last);
  CHECK(eventually([&] { return is_spare_done.load(); }));
  CHECK(queues.take(0) == nullptr);
  CHECK(queues.find_stuck(3) == 1);
  CHECK(queues.take(1) == nullptr);
  CHECK(queues.find_stuck(3) == 0);
  spare.join();
}

TEST_CASE("when as many handlers as threads never return the other actors go on, as long as threads are left", "[workers]") {
  const auto threads = GENERATE(1u, 2u);
  const uint32_t hung = threads == 1 ? threads : threads + spare_threads - 1; // Every one more takes up to half a second.
  INFO(threads << " threads, " << hung << " handlers that do not return");
  std::atomic<bool> is_over{false};
  std::atomic<uint32_t> arrived{0};
  test_system t{{.threads = threads, .awake_max = threads}};
  for (uint32_t i = 0; i < hung; ++i)
    caf::anon_send(t.system->spawn([&]() -> caf::behavior {
      return {[&](ping_atom) {
        ++arrived;
        is_over.wait(false);
      }};
    }), ping_atom::value);
  CHECK(eventually([&] { return arrived == hung; }));
  auto echo = t.system->spawn([]() -> caf::behavior { return {[](int x) { return x; }}; });
  caf::scoped_actor self{*t.system};
  for (int i = 0; i < 3; ++i) {
    int answer = -1;
    self->request(echo, 10s, i).receive([&](int x) { answer = x; }, [](const caf::error&) {});
    CHECK(answer == i);
  }
  is_over = true;
  is_over.notify_all();
}

TEST_CASE("threads that cannot be created are an error before the actor system begins", "[workers]") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  TROUPE_SKIP("sanitizers need the address space that this test takes away");
#endif
  // RLIMIT_NPROC does not bind root, so the address space is what runs out: each thread takes some for its stack.
  caf::actor_system_config config;
  struct address_space_limit {
    rlimit before{};
    explicit address_space_limit(uint64_t more) {
      getrlimit(RLIMIT_AS, &before);
      std::ifstream pages("/proc/self/statm");
      uint64_t used = 0;
      pages >> used;
      const rlimit now{used * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + more, before.rlim_max};
      setrlimit(RLIMIT_AS, &now);
    }
    ~address_space_limit() { setrlimit(RLIMIT_AS, &before); }
  };
  std::string what;
  {
    const address_space_limit limit(64 << 20);
    try {
      configure_workers(config, {.threads = 100});
    } catch (const std::system_error& error) {
      what = error.what();
    }
  }
  INFO(what);
  CHECK(what.starts_with("cannot create 112 threads: "));
  configure_workers(config, {.threads = 2});
}

TEST_CASE("no actor starves, and each handles at most max-throughput messages in a row", "[workers]") {
  test_system t{{.threads = 1}, 1};
  std::vector<char> order;
  std::atomic<int> ended{0};
  const auto writer = [&](char name) {
    return t.system->spawn([&order, name]() -> caf::behavior {
      return {[&order, name](ping_atom) { order.push_back(name); }}; // One thread: no race.
    });
  };
  t.system->spawn([&ended, a = writer('a'), b = writer('b')](caf::event_based_actor* self) {
    self->set_down_handler([&ended](caf::down_msg&) { ++ended; });
    for (const auto& w : {a, b}) {
      self->monitor(w);
      for (int i = 0; i < 10; ++i)
        self->send(w, ping_atom::value);
      self->send_exit(w, caf::exit_reason::user_shutdown);
    }
    return caf::behavior{[](ping_atom) {}};
  });
  REQUIRE(eventually([&] { return ended == 2; }));
  t.system.reset();
  REQUIRE(order.size() == 20);
  std::string text(order.begin(), order.end());
  CHECK(text == "abababababababababab");
}

TEST_CASE("idle workers use no CPU time", "[workers]") {
  test_system t{{.threads = 2}};
  auto echo = t.system->spawn([]() -> caf::behavior { return {[](int x) { return x; }}; });
  caf::scoped_actor self{*t.system};
  self->request(echo, 10s, 1).receive([](int) {}, [](const caf::error&) {}); // All threads have started.
  auto least = std::chrono::nanoseconds::max();
  for (int i = 0; i < 5 && least > 3ms; ++i) { // Other threads of this process may run: the quietest window counts.
    const auto before = cpu_time();
    std::this_thread::sleep_for(300ms);
    least = std::min(least, cpu_time() - before);
  }
  CHECK(least < 60ms); // A fifth of one CPU; two spinning threads would burn 600 ms. Measured: 0.2 ms.
}

TEST_CASE("busy time is the time inside actors", "[workers]") {
  test_system t{{.threads = 2}};
  const auto worker = [&] {
    return t.system->spawn([]() -> caf::behavior {
      return {[](int ms) {
        burn(std::chrono::milliseconds(ms));
        return ms;
      }};
    });
  };
  auto a = worker(), b = worker();
  caf::scoped_actor self{*t.system};
  const auto before = busy_time(*t.system);
  auto first = self->request(a, 10s, 30);
  auto second = self->request(b, 10s, 30);
  first.receive([](int) {}, [](const caf::error&) {});
  second.receive([](int) {}, [](const caf::error&) {});
  CHECK(eventually(
    [&] { return busy_time(*t.system) - before >= 60ms; })); // The last job counts once it is over.
  const auto idle_from = busy_time(*t.system);
  std::this_thread::sleep_for(50ms);
  CHECK(busy_time(*t.system) - idle_from < 25ms);
}

TEST_CASE("the actor that runs at this moment is named, and none that has ended its turn", "[workers]") {
  test_system t{{.threads = 2}};
  CHECK(running_actors(*t.system).empty());
  std::atomic<bool> is_over{false};
  auto busy = t.system->spawn([&]() -> caf::behavior {
    return {[&](int ms) {
      while (!is_over) std::this_thread::yield();
      return ms;
    }};
  });
  auto idle = t.system->spawn([]() -> caf::behavior { return {[](int ms) { return ms; }}; });
  caf::scoped_actor self{*t.system};
  self->request(idle, 10s, 1).receive([](int) {}, [](const caf::error&) {});
  auto answer = self->request(busy, 10s, 1);
  CHECK(eventually([&] { return running_actors(*t.system) == std::vector<uint64_t>{busy.id()}; }));
  is_over = true;
  answer.receive([](int) {}, [](const caf::error&) {});
  CHECK(eventually([&] { return running_actors(*t.system).empty(); }));
}

TEST_CASE("an actor system with these workers ends cleanly, also while messages are under way", "[workers]") {
  for (int i = 0; i < 100; ++i) {
    std::atomic<uint64_t> handled{0}, over{0};
    test_system t{
      {.threads = static_cast<uint32_t>(1 + i % 4), .spin = std::chrono::microseconds(i % 3 * 25)}};
    std::vector<caf::actor> relays;
    for (int k = 0; k < 4; ++k)
      relays.push_back(t.system->spawn(relay, &handled, &over));
    for (const auto& r : relays)
      caf::anon_send(r, relays);
    for (int k = 0; k < 8; ++k)
      caf::anon_send(relays[static_cast<std::size_t>(k % 4)], 1'000'000); // Never over by itself.
    if (i % 2 == 0)
      std::this_thread::sleep_for(200us);
    for (const auto& r : relays)
      caf::anon_send_exit(r, caf::exit_reason::kill);
    relays.clear();
    t.system.reset();
  }
  SUCCEED("no actor system hung");
}

TEST_CASE("simulations keep their own scheduler", "[workers]") {
  caf::actor_system_config config;
  config.set("scheduler.policy", caf::atom("testing"));
  configure_workers(config, {.threads = 2});
  caf::actor_system system{config};
  CHECK(dynamic_cast<caf::scheduler::test_coordinator*>(&system.scheduler()));
  CHECK(busy_time(system) == 0ns);
  CHECK(running_actors(system).empty());
}
