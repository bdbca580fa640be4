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

namespace troupe {

/// Tells the processor that this thread waits for another one.
inline void relax_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

/// First in, first out; any thread puts in and takes out. Does not own the jobs.
template <class Job>
class job_queue {
public:
  void push(Job* job) {
    size_.fetch_add(1); // Before it is so: what waits is counted.
    jobs_.append(job);
  }

  /// Null: empty, or what is counted is not there yet.
  Job* take() {
    if (size() == 0)
      return nullptr;
    auto* job = jobs_.take_head();
    if (job)
      size_.fetch_sub(1);
    return job;
  }

  uint64_t size() const { return size_.load(); }

private:
  caf::detail::double_ended_queue<Job> jobs_;
  std::atomic<uint64_t> size_{0}; // At least as many as are there.
};

/// Which thread ran a job last. A guess, by the job's address: two jobs that share a place only lead each other astray.
class job_homes {
public:
  explicit job_homes(std::size_t threads) {
    for (std::size_t i = 0; i < places_.size(); ++i)
      places_[i] = static_cast<uint8_t>(i % std::min(threads, threads_max));
  }
  std::size_t of(const void* job) const { return places_[index(job)].load(std::memory_order_relaxed); }
  void move(const void* job, std::size_t thread) {
    if (thread < threads_max)
      places_[index(job)].store(static_cast<uint8_t>(thread), std::memory_order_relaxed);
  }

private:
  static constexpr std::size_t threads_max = 256; // The others take from these, but are nobody's home.
  static std::size_t index(const void* job) {
    return (reinterpret_cast<uintptr_t>(job) >> 6) * 0x9E3779B97F4A7C15u >> 50; // Fibonacci hashing to 14 bits.
  }
  std::array<std::atomic<uint8_t>, 1 << 14> places_;
};

/// Shared by all threads. Each has a queue; a job waits in that of its home, the thread that ran it last, because what it works
/// with is in the caches there. A home that looks for work gets the job into its hand instead: one cache line, the
/// least that two threads can tell each other by. A thread that finds nothing at home takes what waits for others, which
/// moves that job's home. Queues are first in, first out, and a thread that never runs dry looks into others' every now and then, so
/// nobody starves.
///
/// Only wait() sleeps. Whoever leaves more jobs waiting than threads are looking wakes one.
template <class Job>
class job_market {
public:
  using clock = std::chrono::steady_clock;

  explicit job_market(std::size_t threads) : threads_(threads), homes_(threads) {}

  /// From any thread.
  void add(Job* job) {
    const std::size_t thread = homes_.of(job);
    auto& home = threads_[thread];
    uintptr_t hand = home.hand.load(std::memory_order_relaxed);
    if (hand != looking || !home.hand.compare_exchange_strong(hand, reinterpret_cast<uintptr_t>(job)))
      home.jobs.push(job);
    wake_if_needed(thread);
  }

  /// The next job for thread `self`; null: nothing waits at home.
  Job* take(std::size_t self) {
    constexpr uint32_t takes_per_look_around = 64;
    auto& own = threads_[self];
    if (++own.takes % takes_per_look_around == 0)
      if (auto* job = take_from_others(self, 1))
        return job;
    return own.jobs.take();
  }

  /// The same, but looks everywhere, for `spin`, and then sleeps until there is a job.
  Job* wait(std::size_t self, std::chrono::nanoseconds spin) {
    threads_[self].hand.store(looking);
    bool is_impatient = false;
    for (;;) {
      if (auto* job = look(self, spin, is_impatient))
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
    uint32_t takes = 0;         // Its own thread's.
    job_queue<Job> jobs;
  };

  uint64_t waiting() const {
    uint64_t sum = 0;
    for (const auto& one : threads_)
      sum += one.jobs.size();
    return sum;
  }

  uint64_t threads_looking() const {
    const auto is_looking = [](const place& one) { return one.hand.load() == looking; };
    return static_cast<uint64_t>(std::count_if(threads_.begin(), threads_.end(), is_looking));
  }

  /// To be called by whoever has put a job into a queue, or has kept a thread from looking on. While nobody sleeps it reads one line, which
  /// nobody writes. What this depends on is sequentially consistent: of two who each add a job, or of one who adds a job and one who
  /// fills the hand that was to take it, the later one sees both.
  void wake_if_needed(std::size_t first) {
    if (sleeping_.load() == 0)
      return;
    const uint64_t jobs = waiting();
    if (jobs == 0 || threads_looking() >= jobs)
      return;
    for (std::size_t i = 0; i < threads_.size(); ++i) {
      auto& one = threads_[(first + i) % threads_.size()];
      if (!wake(one))
        continue;
      one.permit.store(1);
      one.permit.notify_one();
      return;
    }
  }

  /// From asleep to looking.
  bool wake(place& one) {
    uintptr_t hand = asleep;
    if (!one.hand.compare_exchange_strong(hand, looking))
      return false;
    sleeping_.fetch_sub(1);
    return true;
  }

  Job* from_hand(std::size_t self, uintptr_t hand) {
    threads_[self].hand.store(working, std::memory_order_relaxed);
    return reinterpret_cast<Job*>(hand);
  }

  Job* look(std::size_t self, std::chrono::nanoseconds spin, bool& is_impatient) {
    constexpr int polls_per_search = 8; // 15 to 20 ns each.
    const auto& hand = threads_[self].hand;
    const auto end = clock::now() + spin;
    do {
      for (int i = 0; i < polls_per_search; ++i) {
        if (const auto held = hand.load(std::memory_order_acquire); held >= first_job)
          return from_hand(self, held);
        relax_cpu();
      }
      if (auto* job = search(self, is_impatient))
        return job;
    } while (clock::now() < end);
    return nullptr;
  }

  /// From the queue of another thread that has at least so many jobs.
  Job* take_from_others(std::size_t self, uint64_t least) {
    for (std::size_t i = 1; i < threads_.size(); ++i) {
      auto& jobs = threads_[(self + i) % threads_.size()].jobs;
      auto* job = jobs.size() >= least ? jobs.take() : nullptr;
      if (job) {
        homes_.move(job, self);
        return job;
      }
    }
    return nullptr;
  }

  /// What waits in any queue, its own first. The only job in another thread's mostly is what that does next: it lies there until
  /// the next search.
  Job* search(std::size_t self, bool& is_impatient) {
    auto* job = threads_[self].jobs.take();
    if (!job)
      job = take_from_others(self, is_impatient ? 1 : 2);
    if (!job) {
      is_impatient = waiting() > 0;
      return nullptr;
    }
    uintptr_t hand = looking;
    if (!threads_[self].hand.compare_exchange_strong(hand, working)) { // Somebody just put another one there.
      threads_[self].jobs.push(job);
      job = from_hand(self, hand);
    }
    wake_if_needed(self);
    return job;
  }

  Job* sleep(std::size_t self) {
    auto& own = threads_[self];
    sleeping_.fetch_add(1); // Before it is so: whoever sleeps is counted.
    uintptr_t hand = looking;
    if (!own.hand.compare_exchange_strong(hand, asleep)) {
      sleeping_.fetch_sub(1);
      return from_hand(self, hand);
    }
    // Who put a job into a queue before this line is seen here; who does so after it sees a sleeper.
    if (waiting() > 0 && wake(own))
      return nullptr;
    own.permit.wait(0);
    own.permit.store(0);
    return nullptr;
  }

  std::vector<place> threads_;
  job_homes homes_;
  alignas(64) std::atomic<uint64_t> sleeping_{0}; // At least as many threads as sleep.
};

} // namespace troupe
