#pragma once
// The scheduling policy behind workers.hpp, with the interface that caf::scheduler::coordinator requires. Only workers.cpp
// includes it.
#include "actors/threads/actor_links.hpp"
#include "actors/threads/work_queues.hpp"
#include <caf/policy/unprofiled.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace troupe {

/// A thread of its own that looks for worker threads that are stuck (work_queues.hpp), ten times a second. While all of them sleep it
/// sleeps too.
class stuck_finder {
public:
  using actor_queues = work_queues<caf::resumable, actor_links>;

  explicit stuck_finder(actor_queues& queues);
  ~stuck_finder();
  stuck_finder(const stuck_finder&) = delete;
  stuck_finder& operator=(const stuck_finder&) = delete;

private:
  void run();

  actor_queues& queues_;
  std::atomic<bool> is_over_{false};
  int interrupt_; // An eventfd, which ends the pause between two looks. Without one (-1) the end waits for the next look.
  std::thread thread_;
};

/// See workers.hpp. Stateless, as CAF requires: the state is in coordinator_data and worker_data.
class worker_policy : public caf::policy::unprofiled {
public:
  using clock = std::chrono::steady_clock;
  using actor_queues = stuck_finder::actor_queues;

  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator*) {}

    // All set before the threads start.
    std::unique_ptr<actor_queues> queues;
    std::chrono::nanoseconds spin{0};
    std::vector<int> cpus; // The threads are pinned to these, round-robin. Empty: they are not pinned.
    std::optional<stuck_finder> finder;
  };

  /// Of one thread, on cache lines of its own.
  struct alignas(64) worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
    worker_data(const worker_data&) {} // CAF copies the first one while nothing runs.

    std::atomic<int64_t> busy_ns{0};
    std::atomic<uint64_t> running{0}; // The id of the actor that runs; 0: none.
    std::atomic<int> thread{0}; // Its id; 0 before it begins.
    clock::time_point since{}; // When the current job began.
    bool is_started = false;
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    self->data().queues->add(job);
  }

  /// CAF adds the job that ends a thread here. Inlined there, GCC 12 takes that job for an actor and warns.
  template <class Worker>
  [[gnu::noinline]] void external_enqueue(Worker* self, caf::resumable* job) {
    self->parent()->data().queues->add(job);
  }

  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    self->parent()->data().queues->add(job);
  }

  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    self->parent()->data().queues->add(job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    return next_job(self->parent()->data(), self->data(), self->id());
  }

  template <class Worker>
  void before_resume(Worker* self, caf::resumable* job) {
    self->data().running.store(actor_links::id_of(job), std::memory_order_relaxed);
  }

  template <class Worker>
  void after_resume(Worker* self, caf::resumable*) {
    self->data().running.store(0, std::memory_order_relaxed);
    note_busy(self->data());
  }

  template <class Worker>
  void before_shutdown(Worker* self) {
    self->parent()->data().queues->leave(self->id());
  }

  template <class Worker, class Function>
  void foreach_resumable(Worker*, Function) {}

  template <class Coordinator, class Function>
  void foreach_central_resumable(Coordinator* self, Function f) {
    while (auto* job = self->data().queues->take_any())
      f(job);
  }

private:
  static caf::resumable* next_job(coordinator_data& shared, worker_data& own, std::size_t index);
  static void note_busy(worker_data& own);
};

} // namespace troupe
