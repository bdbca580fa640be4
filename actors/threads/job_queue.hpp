#pragma once
// The jobs that wait for one thread. Knows no actors, as work_queues.hpp.
#include <atomic>
#include <cstdint>
#include <utility>

namespace troupe {

/// First in, first out; any thread adds and takes. Does not own the jobs.
///
/// To add a job takes no memory, so it cannot fail, and no lock, so it never waits for another thread: jobs are added to a stack
/// by one compare-and-swap (R. K. Treiber, Systems Programming: Coping with Parallelism, IBM RJ 5118, 1986). The stack is only
/// ever taken as a whole, by an exchange; so the ABA problem of such stacks, which is one of taking single elements, does not
/// arise. Turned round, what was taken is the front of the queue, from which single jobs are taken. One thread takes at a time; to
/// another that comes meanwhile the queue looks empty, and it finds out by size() that it should come again.
///
/// `Links::of(job)` is a pointer to the job's link, a Job* that is the queue's for as long as the job waits; so a job waits in one
/// queue at most. It is null for jobs that have none: of those at most one may wait in a queue.
template <class Job, class Links>
class job_queue {
public:
  void push(Job* job) {
    added_.fetch_add(1); // Before it can be taken: every job that waits is counted.
    Job*& next = link_of(job);
    Job* top = stack_.load(std::memory_order_relaxed);
    do
      next = top;
    while (!stack_.compare_exchange_weak(top, job, std::memory_order_release, std::memory_order_relaxed));
  }

  /// Null: the queue is empty, what is counted has not been added yet, or another thread is taking.
  Job* take() {
    if (size() == 0 || is_taken_from_.exchange(true, std::memory_order_acquire))
      return nullptr;
    if (!front_)
      front_ = turned(stack_.exchange(nullptr, std::memory_order_acquire));
    Job* job = front_;
    if (job) {
      front_ = link_of(job);
      taken_.store(taken_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }
    is_taken_from_.store(false, std::memory_order_release);
    return job;
  }

  /// At least as many as can be taken.
  uint64_t size() const {
    const auto taken = taken_.load(std::memory_order_acquire); // First: what is taken was counted before.
    return added_.load() - taken;
  }

private:
  Job*& link_of(Job* job) {
    Job** own = Links::of(job);
    return own ? *own : other_link_;
  }

  /// From the last to the first, to from the first to the last.
  Job* turned(Job* last) {
    Job* first = nullptr;
    while (last) {
      Job* before = std::exchange(link_of(last), first);
      first = std::exchange(last, before);
    }
    return first;
  }

  std::atomic<Job*> stack_{nullptr}; // The newest.
  std::atomic<uint64_t> added_{0};
  Job* other_link_ = nullptr; // Of the job that has no link.

  std::atomic<bool> is_taken_from_{false};
  Job* front_ = nullptr; // The oldest; as `taken_`, only written by the thread that takes.
  std::atomic<uint64_t> taken_{0};
};

} // namespace troupe
