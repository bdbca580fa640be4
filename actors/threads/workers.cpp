#include "actors/threads/workers.hpp"

#include "actors/threads/cpus.hpp"
#include "actors/threads/processors.hpp"
#include "actors/threads/worker_policy.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/logger.hpp>
#include <set> // caf/scheduler/coordinator.hpp uses it without including it.

// Before every job a worker finds out by a dynamic_cast which actor it is, for the log. Not needed where there is no log.
#if CAF_LOG_LEVEL == CAF_LOG_LEVEL_QUIET
#undef CAF_PUSH_AID_FROM_PTR
#define CAF_PUSH_AID_FROM_PTR(actor) CAF_VOID_STMT
#endif
#include <caf/scheduler/coordinator.hpp>

#include <algorithm>
#include <poll.h>
#include <string>
#include <sys/eventfd.h>
#include <system_error>
#include <thread>
#include <unistd.h>

namespace troupe {
namespace {

using coordinator = caf::scheduler::coordinator<worker_policy>;

// Before and after every job CAF tells its logger, if the thread has one, which actor runs, under a lock that all threads
// share. A CAF that was built without log messages, as Debian's is, has no use for that; but spawning gives the thread a
// logger.
void forget_logger() {
#if CAF_LOG_LEVEL == CAF_LOG_LEVEL_QUIET
  caf::logger::set_current_actor_system(nullptr);
#endif
}

// Creates so many threads at once, which end at once.
void require_threads(uint32_t count) {
  std::atomic<bool> is_over = false;
  std::vector<std::jthread> threads; // All are joined, also when one cannot be created.
  const auto end = [&] {
    is_over = true;
    is_over.notify_all();
  };
  try {
    for (uint32_t i = 0; i < count; ++i)
      threads.emplace_back([&] { is_over.wait(false); });
  } catch (const std::system_error& error) {
    end();
    throw std::system_error(error.code(), "cannot create " + std::to_string(count) + " threads");
  } catch (...) {
    end();
    throw;
  }
  end();
}

} // namespace

// -- stuck_finder ------------------------------------------------------------

stuck_finder::stuck_finder(actor_queues& queues)
  : queues_(queues), interrupt_(eventfd(0, EFD_CLOEXEC)), thread_([this] { run(); }) {}

stuck_finder::~stuck_finder() {
  is_over_ = true;
  queues_.interrupt_wait();
  (void) eventfd_write(interrupt_, 1);
  thread_.join();
  if (interrupt_ >= 0)
    close(interrupt_);
}

void stuck_finder::run() {
  constexpr int interval_ms = 100;
  constexpr uint32_t looks_max = 5;
  while (!is_over_) {
    const int seen = queues_.wakings();
    if (is_over_) // From here on an interrupt_wait() is seen.
      return;
    queues_.wait_for_waking(seen);
    pollfd end{interrupt_, POLLIN, 0};
    poll(&end, 1, interval_ms);
    queues_.find_stuck(looks_max);
  }
}

// -- worker_policy -----------------------------------------------------------

caf::resumable* worker_policy::next_job(coordinator_data& shared, worker_data& own, std::size_t index) {
  forget_logger();
  if (!own.is_started) {
    own.is_started = true;
    own.thread.store(gettid(), std::memory_order_relaxed);
    if (!shared.cpus.empty())
      pin_this_thread(shared.cpus[index % shared.cpus.size()]);
  } else if (auto* job = shared.queues->take(index)) {
    return job; // `since` is the end of the job before: between two jobs nothing was idle.
  }
  auto* job = shared.queues->wait(index, shared.spin);
  own.since = clock::now();
  return job;
}

void worker_policy::note_busy(worker_data& own) {
  const auto now = clock::now();
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now - own.since).count();
  own.busy_ns.store(own.busy_ns.load(std::memory_order_relaxed) + ns, std::memory_order_relaxed);
  own.since = now;
}

// -- workers -----------------------------------------------------------------

void configure_workers(caf::actor_system_config& config, workers_options options) {
  if (get_or(config, "scheduler.policy", caf::atom("stealing")) == caf::atom("testing"))
    return;
  const auto cpus = usable_cpus();
  const auto processors = usable_processors().count;
  const auto threads = options.threads == 0 ? processors : options.threads;
  const auto awake_max = options.awake_max == 0 ? processors : options.awake_max;
  constexpr uint32_t other_threads = 4; // CAF's clock, its printer, the one that looks for threads that are stuck, and one to spare.
  require_threads(threads + spare_threads + other_threads);
  config.set("scheduler.max-threads", std::size_t{threads} + spare_threads);
  config.module_factories.emplace_back([=](caf::actor_system& system) -> caf::actor_system::module* {
    auto* result = new coordinator(system);
    result->data().queues = std::make_unique<worker_policy::actor_queues>(threads, awake_max, spare_threads);
    result->data().spin = options.spin;
    result->data().finder.emplace(*result->data().queues);
    if (options.pin && threads <= cpus.size())
      result->data().cpus = cpus;
    return result;
  });
}

std::vector<thread_times> worker_times(caf::actor_system& system) {
  std::vector<thread_times> all;
  auto* workers = dynamic_cast<coordinator*>(&system.scheduler());
  for (std::size_t i = 0; workers && i < workers->data().queues->threads_in_use(); ++i) {
    const int thread = workers->worker_by_id(i)->data().thread.load(std::memory_order_relaxed);
    const auto times = read_thread_times("/proc/self/task/" + std::to_string(thread));
    if (times) all.push_back(*times);
  }
  return all;
}

std::chrono::nanoseconds busy_time(caf::actor_system& system) {
  auto* workers = dynamic_cast<coordinator*>(&system.scheduler());
  int64_t sum = 0;
  for (std::size_t i = 0; workers && i < workers->num_workers(); ++i)
    sum += workers->worker_by_id(i)->data().busy_ns.load(std::memory_order_relaxed);
  return std::chrono::nanoseconds(sum);
}

std::vector<uint64_t> running_actors(caf::actor_system& system) {
  auto* workers = dynamic_cast<coordinator*>(&system.scheduler());
  std::vector<uint64_t> all;
  for (std::size_t i = 0; workers && i < workers->num_workers(); ++i)
    if (const auto id = workers->worker_by_id(i)->data().running.load(std::memory_order_relaxed); id != 0) all.push_back(id);
  return all;
}

} // namespace troupe
