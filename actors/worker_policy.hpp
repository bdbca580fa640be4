#pragma once
// The scheduling policy behind workers.hpp, in the shape that caf::scheduler::coordinator wants. Only workers.cpp and its
// tests include it.
#include <caf/detail/double_ended_queue.hpp>
#include <caf/policy/unprofiled.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduler/abstract_coordinator.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace troupe {

/// How many jobs wait and what the threads without a job do, in one word, so that every decision to wake or to sleep sees
/// all of it. A thread that was woken but does not run yet counts as looking already: it is not woken twice.
/// Not copyable, shared by all threads. No operation blocks but sleep().
class job_market {
public:
  /// A job is about to be put into the queue. The caller puts it there and then calls wake(result).
  uint64_t announce_job() { return word_.fetch_add(one_job) + one_job; }
  /// A job was taken from the queue.
  void took_job() { word_.fetch_sub(one_job); }
  bool has_jobs() const { return jobs(word_.load()) > 0; }

  void start_looking() { word_.fetch_add(one_looking); }
  /// After it found a job. Others are woken when more jobs wait.
  void stop_looking() { wake(word_.fetch_sub(one_looking) - one_looking); }

  /// Wakes a thread if fewer are looking than jobs wait. `seen` is a recent value; it may be stale, because a thread that
  /// goes to sleep later looks at the word itself.
  void wake(uint64_t seen);

  /// From looking to sleeping to looking. Returns once a job may be there.
  void sleep();

private:
  // 32 bits of waiting jobs, 16 bits of looking, 16 bits of sleeping threads.
  static constexpr uint64_t one_job = 1, one_looking = uint64_t{1} << 32, one_sleeping = uint64_t{1} << 48;
  static uint32_t jobs(uint64_t word) { return static_cast<uint32_t>(word); }
  static uint16_t looking(uint64_t word) { return static_cast<uint16_t>(word >> 32); }
  static uint16_t sleeping(uint64_t word) { return static_cast<uint16_t>(word >> 48); }

  alignas(64) std::atomic<uint64_t> word_{0};
  alignas(64) std::atomic<int> permits_{0}; // One for each thread that was woken and does not run yet.
};

/// See workers.hpp. One queue, first in, first out, so nobody starves. Stateless, as CAF wants: the state is in
/// coordinator_data and worker_data.
class worker_policy : public caf::policy::unprofiled {
public:
  using clock = std::chrono::steady_clock;

  struct coordinator_data {
    explicit coordinator_data(caf::scheduler::abstract_coordinator*) {}

    caf::detail::double_ended_queue<caf::resumable> queue;
    job_market market;
    std::chrono::nanoseconds spin{0}; // This and `cpus` are set before the threads start.
    std::vector<int> cpus;            // To tie the threads to, round-robin. Empty: they are not tied.
  };

  /// Of one thread, on cache lines of its own.
  struct alignas(64) worker_data {
    explicit worker_data(caf::scheduler::abstract_coordinator*) {}
    worker_data(const worker_data&) {} // CAF copies the first one while nothing runs.

    std::atomic<int64_t> busy_ns{0};
    clock::time_point since{}; // When the current job began.
    bool is_started = false;
  };

  template <class Coordinator>
  void central_enqueue(Coordinator* self, caf::resumable* job) {
    enqueue(self->data(), job);
  }

  template <class Worker>
  void external_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent()->data(), job);
  }

  template <class Worker>
  void internal_enqueue(Worker* self, caf::resumable* job) {
    enqueue(self->parent()->data(), job);
  }

  template <class Worker>
  void resume_job_later(Worker* self, caf::resumable* job) {
    enqueue(self->parent()->data(), job);
  }

  template <class Worker>
  caf::resumable* dequeue(Worker* self) {
    return next_job(self->parent()->data(), self->data(), self->id());
  }

  template <class Worker>
  void after_resume(Worker* self, caf::resumable*) {
    note_busy(self->data());
  }

  template <class Worker, class Function>
  void foreach_resumable(Worker*, Function) {}

  template <class Coordinator, class Function>
  void foreach_central_resumable(Coordinator* self, Function f) {
    while (auto* job = self->data().queue.take_head())
      f(job);
  }

private:
  static void enqueue(coordinator_data& shared, caf::resumable* job);
  static caf::resumable* next_job(coordinator_data& shared, worker_data& own, std::size_t index);
  static caf::resumable* try_take(coordinator_data& shared);
  static caf::resumable* look_for_job(coordinator_data& shared);
  static void note_busy(worker_data& own);
};

} // namespace troupe
