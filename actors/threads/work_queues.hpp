#pragma once
// Which thread runs what next: the jobs that wait, the threads that have none, and how a job reaches a thread. Knows no actors:
// a job is whatever a thread runs (for CAF, an actor with messages in its mailbox).
#include "actors/threads/job_queue.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace troupe {

/// Tells the CPU that this thread waits for another one.
inline void relax_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// Which thread each job has affinity to: the one that ran it last. A guess, by the job's address: jobs whose addresses have
/// the same hash share one entry, and at worst run on each other's threads.
class job_affinity {
public:
  explicit job_affinity(std::size_t threads) {
    for (std::size_t i = 0; i < table_.size(); ++i)
      table_[i] = static_cast<uint8_t>(i % std::min(threads, threads_max));
  }
  std::size_t of(const void* job) const { return table_[index(job)].load(std::memory_order_relaxed); }
  void move(const void* job, std::size_t thread) {
    if (thread < threads_max)
      table_[index(job)].store(static_cast<uint8_t>(thread), std::memory_order_relaxed);
  }

private:
  static constexpr std::size_t threads_max = 256; // Threads beyond these take jobs from them; no job has affinity to those.
  static std::size_t index(const void* job) {
    return (reinterpret_cast<uintptr_t>(job) >> 6) * 0x9E3779B97F4A7C15u >> 50; // Fibonacci hashing to 14 bits.
  }
  std::array<std::atomic<uint8_t>, 1 << 14> table_;
};

/// Shared by all threads. Each thread has a queue. A job waits in the queue of the thread it has affinity to, because what it
/// works with is in that thread's caches. If that thread is searching for work at the moment, the job goes into its hand-off
/// slot instead: one cache line between two threads, the least that they can communicate through. A thread whose own queue is
/// empty takes jobs from the queues of others, which moves their affinity to it. Queues are first in, first out, and a thread
/// whose queue is never empty takes from others every now and then, so no job starves.
///
/// Only wait() sleeps. A thread that leaves more jobs waiting than threads are searching wakes one, unless as many as may be are awake:
/// threads beyond the number of processors would only take time from each other. What waits for a thread that sleeps is taken by
/// others.
///
/// A thread whose job does not return is stuck, and may never come back. It does not count among those that may be awake, so another
/// thread does its work; for that there are spare threads, which sleep until they are needed. So do the threads of Go's scheduler when
/// one of them is held up in the kernel (Vyukov, Go Preemptive Scheduler Design Doc, 2013: sysmon). When the job returns after all,
/// the thread counts again. Somebody who is none of these threads has to look for them: find_stuck().
///
/// To hand a job over takes no memory and no lock, so nothing can fail or be lost on the way (job_queue.hpp, which says what `Links`
/// is).
template <class Job, class Links>
class work_queues {
public:
  using clock = std::chrono::steady_clock;

  /// Of the threads at most awake_max are awake at once, after the first moments. At least 1 each. The last `spare` of them, which are
  /// not counted in `threads`, only work when others are stuck.
  explicit work_queues(std::size_t threads, std::size_t awake_max = SIZE_MAX, std::size_t spare = 0)
    : threads_(threads + spare), affinity_(std::min(threads, awake_max)), regular_(threads), in_use_(threads),
      awake_max_(std::min(threads, awake_max)) {}

  /// From any thread.
  void add(Job* job) {
    const std::size_t thread = affinity_.of(job);
    auto& preferred = threads_[thread];
    uintptr_t expected = preferred.slot.load(std::memory_order_relaxed);
    if (expected != searching || !preferred.slot.compare_exchange_strong(expected, reinterpret_cast<uintptr_t>(job)))
      preferred.jobs.push(job);
    wake_if_needed(thread);
  }

  /// The next job for thread `self`; null: its own queue is empty.
  Job* take(std::size_t self) {
    constexpr uint32_t takes_per_search = 64;
    auto& own = threads_[self];
    const auto takes = own.takes.load(std::memory_order_relaxed) + 1;
    own.takes.store(takes, std::memory_order_relaxed);
    if (takes % takes_per_search == 0)
      if (auto* job = take_from_others(self, 1))
        return job;
    return own.jobs.take();
  }

  /// The same, but searches all queues, spinning for `spin_time`, and then sleeps until there is a job.
  Job* wait(std::size_t self, std::chrono::nanoseconds spin_time) {
    threads_[self].slot.store(searching);
    bool is_impatient = false;
    for (;;) {
      auto* job = threads_awake() > awake_max_ || self >= in_use_ ? nullptr : spin(self, spin_time, is_impatient);
      if (job)
        return job;
      job = sleep(self);
      if (job)
        return job;
    }
  }

  /// The calling thread ends: it counts as awake no longer, and will never be woken. All others are to end, too, also the spare ones.
  void leave(std::size_t self) {
    in_use_ = threads_.size();
    sleeping_.fetch_add(1);
    wake_if_needed(self);
  }

  /// Which threads are stuck: those that have been in one job for `looks_max` looks, as long as they do not come back from it. To be
  /// called at regular intervals, by one thread that is none of these. Looks are counted and not time: a process that was suspended
  /// comes back to one look. Returns how many there are.
  std::size_t find_stuck(uint32_t looks_max) {
    for (auto& one : threads_) {
      const auto takes = one.takes.load(std::memory_order_relaxed);
      const bool is_same = one.slot.load() == working && takes == one.takes_seen;
      one.looks = is_same ? one.looks + 1 : 0;
      one.takes_seen = takes;
      const bool is_stuck = one.looks >= looks_max;
      stuck_ += is_stuck - one.is_stuck;
      awake_max_ += is_stuck - one.is_stuck;
      one.is_stuck = is_stuck;
    }
    const auto wanted = std::min(threads_.size(), regular_ + stuck_);
    for (auto now = in_use_.load(); now < wanted && !in_use_.compare_exchange_weak(now, wanted);) {} // It only grows.
    for (std::size_t i = 0; i < stuck_; ++i)
      wake_if_needed(0);
    return stuck_;
  }

  /// For whoever calls find_stuck(): sleeps as long as all threads do. `seen` is a result of wakings(): any waking after that, of a
  /// thread or by interrupt_wait(), ends the wait.
  int wakings() const { return wakings_; }
  void wait_for_waking(int seen) const {
    if (threads_awake() == 0)
      wakings_.wait(seen);
  }
  void interrupt_wait() {
    wakings_.fetch_add(1);
    wakings_.notify_all();
  }

  /// The first so many threads work, or have worked.
  std::size_t threads_in_use() const { return in_use_; }

  /// What is left, after all threads have ended.
  Job* take_any() {
    for (auto& thread : threads_)
      if (auto* job = thread.jobs.take())
        return job;
    return nullptr;
  }

private:
  // What a thread's slot holds: one of these, or the address of a job that another thread put there while it was `searching`.
  enum : uintptr_t { working, searching, asleep, first_job };

  struct alignas(64) thread_state {
    std::atomic<uintptr_t> slot{working};
    std::atomic<int> permit{0}; // To wake up.
    std::atomic<uint32_t> takes{0}; // Only the thread itself writes it.
    // Of find_stuck(), at its last look.
    uint32_t takes_seen = 0;
    uint32_t looks = 0; // Since it is in the same job.
    bool is_stuck = false;
    alignas(64) job_queue<Job, Links> jobs;
  };

  uint64_t waiting() const {
    uint64_t sum = 0;
    for (std::size_t i = 0, end = in_use_; i < end; ++i)
      sum += threads_[i].jobs.size();
    return sum;
  }

  /// At most as many as are.
  uint64_t threads_awake() const { return threads_.size() - sleeping_.load(); }

  uint64_t threads_searching() const {
    uint64_t sum = 0;
    for (std::size_t i = 0, end = in_use_; i < end; ++i)
      sum += threads_[i].slot.load() == searching;
    return sum;
  }

  /// To be called by a thread that has put a job into a queue, or that has stopped a thread from searching any further. While
  /// no thread sleeps it reads one cache line, which nobody writes. It depends on sequential consistency: of two threads that
  /// each add a job, or of one that adds a job and one that fills the slot of the thread that was to take it, the later one
  /// sees both.
  void wake_if_needed(std::size_t first) {
    if (sleeping_.load() == 0 || threads_awake() >= awake_max_)
      return;
    const uint64_t jobs = waiting();
    if (jobs == 0 || threads_searching() >= jobs)
      return;
    for (std::size_t i = 0, end = in_use_; i < end; ++i) {
      auto& one = threads_[(first + i) % end];
      if (!wake(one))
        continue;
      one.permit.store(1);
      one.permit.notify_one();
      return;
    }
  }

  /// From asleep to searching.
  bool wake(thread_state& one) {
    uintptr_t expected = asleep;
    if (!one.slot.compare_exchange_strong(expected, searching))
      return false;
    sleeping_.fetch_sub(1);
    interrupt_wait();
    return true;
  }

  /// Takes the job that was handed off to thread `self`; `content` is what its slot holds.
  Job* from_slot(std::size_t self, uintptr_t content) {
    threads_[self].slot.store(working, std::memory_order_relaxed);
    return reinterpret_cast<Job*>(content);
  }

  Job* spin(std::size_t self, std::chrono::nanoseconds spin_time, bool& is_impatient) {
    constexpr int polls_per_search = 8; // 15 to 20 ns each.
    const auto& slot = threads_[self].slot;
    const auto end = clock::now() + spin_time;
    do {
      for (int i = 0; i < polls_per_search; ++i) {
        if (const auto content = slot.load(std::memory_order_acquire); content >= first_job)
          return from_slot(self, content);
        relax_cpu();
      }
      if (auto* job = search(self, is_impatient))
        return job;
    } while (clock::now() < end);
    return nullptr;
  }

  /// From the queue of another thread that has at least `least` jobs.
  Job* take_from_others(std::size_t self, uint64_t least) {
    for (std::size_t i = 1, end = in_use_; i < end; ++i) {
      auto& jobs = threads_[(self + i) % end].jobs;
      auto* job = jobs.size() >= least ? jobs.take() : nullptr;
      if (job) {
        affinity_.move(job, self);
        return job;
      }
    }
    return nullptr;
  }

  /// Searches all queues, its own first. The only job in another thread's queue is mostly what that thread runs next, so it is
  /// left there; a search right after one that found only such jobs (`is_impatient`) takes it.
  Job* search(std::size_t self, bool& is_impatient) {
    auto* job = threads_[self].jobs.take();
    if (!job)
      job = take_from_others(self, is_impatient ? 1 : 2);
    if (!job) {
      is_impatient = waiting() > 0;
      return nullptr;
    }
    uintptr_t expected = searching;
    if (!threads_[self].slot.compare_exchange_strong(expected, working)) { // Meanwhile another job was handed off to it.
      threads_[self].jobs.push(job);
      job = from_slot(self, expected);
    }
    wake_if_needed(self);
    return job;
  }

  Job* sleep(std::size_t self) {
    auto& own = threads_[self];
    sleeping_.fetch_add(1); // Before it sleeps: every thread that sleeps is counted.
    uintptr_t expected = searching;
    if (!own.slot.compare_exchange_strong(expected, asleep)) {
      sleeping_.fetch_sub(1);
      return from_slot(self, expected);
    }
    // A job that was queued before this line is seen here; a thread that queues one after it sees that this thread sleeps. If too many
    // are awake without this one, it is they who see that job, the last at this line. A spare thread has another one take it.
    if (self >= in_use_)
      wake_if_needed(self);
    else if (threads_awake() < awake_max_ && waiting() > 0 && wake(own))
      return nullptr;
    own.permit.wait(0);
    own.permit.store(0);
    return nullptr;
  }

  std::vector<thread_state> threads_;
  job_affinity affinity_;
  std::size_t regular_;   // How many threads are no spare ones.
  std::size_t stuck_ = 0; // Of find_stuck().
  alignas(64) std::atomic<std::size_t> in_use_; // The regular ones, and as many spare ones as were ever needed.
  std::atomic<std::size_t> awake_max_;          // That are not stuck, and all that are.
  alignas(64) std::atomic<uint64_t> sleeping_{0}; // At least as many threads as sleep or have ended.
  std::atomic<int> wakings_{0};                   // How often a thread was woken, or interrupt_wait() called.
};

} // namespace troupe
