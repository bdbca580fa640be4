#pragma once
// For how long threads were kept from running: whether an actor is late cannot be judged by time in which its thread got no processor.
#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

namespace troupe {

/// What the system knows of a thread, see proc(5): schedstat and stat.
struct thread_times {
  std::chrono::nanoseconds ran{0};    // On a processor, since the thread began.
  std::chrono::nanoseconds waited{0}; // Ready to run, but without a processor. A wait counts when it is over.
  bool is_held_up = false; // At this moment it is ready to run or runs, or was stopped (by a signal, a debugger), or waits for a page.
};

/// From `folder`, /proc/self/task/<id> of a thread. Nothing: the thread has ended, or the system does not say.
std::optional<thread_times> read_thread_times(const std::filesystem::path& folder);

/// Sums up for how long threads were kept from running, from one look at them to the next. Pure.
class starvation {
public:
  /// `now`: of all threads, always in the same order; `passed` since the call before. Returns for how much of that time the thread that
  /// was worst off was kept from running: it waited for a processor, or was ready all the time and did not run. A wait that is still
  /// going on is only counted once it has lasted from one call to the next; the rest of it is made up for when it is over.
  /// The first call, and one with another number of threads, only looks.
  std::chrono::nanoseconds add(std::chrono::nanoseconds passed, const std::vector<thread_times>& now);

private:
  std::vector<thread_times> before_;
  std::vector<std::chrono::nanoseconds> counted_; // Of the wait that each thread is in.
};

} // namespace troupe
