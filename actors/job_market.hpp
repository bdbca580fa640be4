#pragma once
// Which thread runs what next: the jobs that wait, the threads without one, and how they find each other. Knows no actors.
#include <caf/detail/double_ended_queue.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace troupe {

/// Tells the processor that this thread waits for another one.
inline void relax_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// First in, first out; any thread puts in and takes out. Does not own the jobs.
template <class Job>
class job_queue {
public:
  void push(Job* job) {
    jobs_.append(job);
    size_.fetch_add(1);
  }

  /// Null: empty, or another thread is just taking the only job.
  Job* take() {
    if (size() == 0)
      return nullptr;
    auto* job = jobs_.take_head();
    if (job)
      size_.fetch_sub(1);
    return job;
  }

  uint64_t size() const { return static_cast<uint64_t>(std::max<int64_t>(size_.load(), 0)); }

private:
  caf::detail::double_ended_queue<Job> jobs_;
  std::atomic<int64_t> size_{0}; // Below 0 for a moment when a job is taken before it is counted.
};

/// Which thread ran a job last. A guess, by the job's address: two jobs that share a place only lead each other astray.
class job_homes {
public:
  explicit job_homes(std::size_t threads) {
    for (std::size_t i = 0; i < places_.size(); ++i)
      places_[i] = static_cast<uint8_t>(i % std::min<std::size_t>(threads, 256));
  }
  std::size_t of(const void* job) const { return places_[index(job)].load(std::memory_order_relaxed); }
  void move(const void* job, std::size_t thread) {
    if (thread < 256)
      places_[index(job)].store(static_cast<uint8_t>(thread), std::memory_order_relaxed);
  }

private:
  static std::size_t index(const void* job) {
    return (reinterpret_cast<uintptr_t>(job) >> 6) * 0x9E3779B97F4A7C15u >> 50; // Fibonacci hashing to 14 bits.
  }
  std::array<std::atomic<uint8_t>, 1 << 14> places_;
};

/// Shared by all threads. Each has a queue; a job waits in that of its home, the thread that ran it last, because what it works
/// with is in the caches there. A home that looks for work gets the job into its hand instead: one cache line of its own, the
/// least that two threads can tell each other by. A thread that finds nothing at home takes what waits for others, which
/// moves that job's home. Queues are first in, first out, so nobody starves.
///
/// Only wait() sleeps. As long as a job waits in a queue and not all threads work, at least one looks.
template <class Job>
class job_market {
public:
  using clock = std::chrono::steady_clock;

  explicit job_market(std::size_t threads) : threads_(threads), homes_(threads) {}

  /// From any thread.
  void add(Job* job) {
    auto& home = threads_[homes_.of(job)];
    uintptr_t hand = home.hand.load(std::memory_order_relaxed);
    if (hand == looking && home.hand.compare_exchange_strong(hand, reinterpret_cast<uintptr_t>(job))) {
      idle_.fetch_sub(one_looking);
    } else {
      home.jobs.push(job);
    }
    wake_if_needed(homes_.of(job));
  }

  /// The next job for thread `self`; null: nothing waits at home.
  Job* take(std::size_t self) { return threads_[self].jobs.take(); }

  /// The same, but looks everywhere, for `spin`, and then sleeps until there is a job.
  Job* wait(std::size_t self, std::chrono::nanoseconds spin) {
    threads_[self].hand.store(looking);
    idle_.fetch_add(one_looking);
    int impatience = 0;
    for (;;) {
      if (auto* job = look(self, spin, impatience))
        return job;
      if (auto* job = sleep(self))
        return job;
    }
  }

  /// What is left, after all threads have ended.
  Job* take_any() {
    for (auto& thread : threads_)
      if (auto* job = thread.jobs.take())
        return job;
    return nullptr;
  }

private:
  // What a thread's hand holds: one of these, or the job that somebody put there while it was looking.
  enum : uintptr_t { working, looking, asleep, first_job };

  struct alignas(64) place {
    std::atomic<uintptr_t> hand{working};
    std::atomic<int> permit{0}; // To wake up.
    job_queue<Job> jobs;
  };

  // 32 bits of looking and 32 bits of sleeping threads, each counted by whoever changes its hand.
  static constexpr uint64_t one_looking = 1, one_sleeping = uint64_t{1} << 32;

  /// Nobody looks for what waits, but somebody could. To be called by whoever has put a job into a queue, or has just kept a
  /// thread from looking on.
  void wake_if_needed(std::size_t first) {
    const uint64_t idle = idle_.load();
    if (static_cast<uint32_t>(idle) > 0 || idle < one_sleeping || !has_jobs())
      return;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      auto& one = threads_[(first + i) % threads_.size()];
      uintptr_t hand = asleep;
      if (!one.hand.compare_exchange_strong(hand, looking))
        continue;
      idle_.fetch_add(one_looking - one_sleeping);
      one.permit.store(1);
      one.permit.notify_one();
      return;
    }
  }

  Job* from_hand(std::size_t self, uintptr_t hand) {
    threads_[self].hand.store(working, std::memory_order_relaxed);
    return reinterpret_cast<Job*>(hand);
  }

  Job* look(std::size_t self, std::chrono::nanoseconds spin, int& impatience) {
    constexpr int polls_per_search = 8; // 15 to 20 ns each.
    const auto& hand = threads_[self].hand;
    const auto end = clock::now() + spin;
    do {
      for (int i = 0; i < polls_per_search; ++i) {
        if (const auto held = hand.load(std::memory_order_acquire); held >= first_job)
          return from_hand(self, held);
        relax_cpu();
      }
      if (auto* job = search(self, impatience))
        return job;
    } while (clock::now() < end);
    return nullptr;
  }

  /// What waits in any queue, its own first. The only job in another thread's mostly is what that does next: it lies there for
  /// a moment before somebody else takes it.
  Job* search(std::size_t self, int& impatience) {
    constexpr int patience = 1; // In searches.
    Job* job = threads_[self].jobs.take();
    bool is_patient = false;
    for (std::size_t i = 1; i < threads_.size() && !job; ++i) {
      auto& jobs = threads_[(self + i) % threads_.size()].jobs;
      const uint64_t waiting = jobs.size();
      if (waiting > 1 || (waiting == 1 && impatience >= patience))
        job = jobs.take();
      else
        is_patient |= waiting == 1;
    }
    impatience = is_patient ? impatience + 1 : 0;
    if (!job)
      return nullptr;
    homes_.move(job, self);
    uintptr_t hand = looking;
    if (threads_[self].hand.compare_exchange_strong(hand, working)) {
      idle_.fetch_sub(one_looking);
    } else { // Somebody just put another one there.
      threads_[self].jobs.push(job);
      job = from_hand(self, hand);
    }
    wake_if_needed(self);
    return job;
  }

  Job* sleep(std::size_t self) {
    auto& own = threads_[self];
    uintptr_t hand = looking;
    if (!own.hand.compare_exchange_strong(hand, asleep))
      return from_hand(self, hand);
    idle_.fetch_add(one_sleeping - one_looking);
    // Who put a job into a queue before this line is seen here; who does so after it sees a sleeper.
    hand = asleep;
    if (has_jobs() && own.hand.compare_exchange_strong(hand, looking)) {
      idle_.fetch_add(one_looking - one_sleeping);
      return nullptr;
    }
    own.permit.wait(0);
    own.permit.store(0);
    return nullptr;
  }

  bool has_jobs() const {
    return std::any_of(threads_.begin(), threads_.end(), [](const place& one) { return one.jobs.size() > 0; });
  }

  std::vector<place> threads_;
  job_homes homes_;
  alignas(64) std::atomic<uint64_t> idle_{0};
};

} // namespace troupe
