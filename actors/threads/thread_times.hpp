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
  bool is_held_up = false; // At this moment it is ready to run or runs, or was stopped (by a signal, a debugger),
  bool waits_for_disk = false; // or waits for a disk, as for memory that was swapped out.
};

/// From `folder`, /proc/self/task/<id> of a thread. Nothing: the thread has ended, or the system does not say.
std::optional<thread_times> read_thread_times(const std::filesystem::path& folder);

/// A thread that waits for a disk for longer hangs, and keeps the others from nothing.
constexpr std::chrono::seconds disk_patience{10};

/// Sums up for how long threads were kept from running, from one look at them to the next. Pure.
class starvation {
public:
  /// `now`: of all threads, always in the same order; `passed` since the call before. Returns for how much of that time the thread that
  /// was worst off was kept from running: it waited for a processor, was ready all the time and did not run, or waited for a disk (for
  /// disk_patience at most). A wait that is still going on is only counted once it has lasted from one call to the next; the rest of it
  /// is made up for when it is over.
  /// The first call, and one with another number of threads, only looks.
  std::chrono::nanoseconds add(std::chrono::nanoseconds passed, const std::vector<thread_times>& now);

private:
  std::vector<thread_times> before_;
  std::vector<std::chrono::nanoseconds> counted_; // Of the wait that each thread is in,
  std::vector<std::chrono::nanoseconds> at_disk_; // or for how long it has waited for a disk.
};

} // namespace troupe
