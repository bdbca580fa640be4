#pragma once
// The threads that run actors: a scheduling policy for CAF, made for short rounds of fork and join. One actor gives a few
// actors 10 to 300 us of work each and goes on when all have answered, thousands of times a second.
//
// CAF's own policies do badly there. Work stealing keeps the receivers of an actor's messages on the sender's thread until an
// idle thread happens to poll; work sharing puts a thread to sleep as soon as nothing is left, and waking it costs 60 to
// 100 us. Here an actor has affinity to the thread that ran it last, whose caches still hold its data and its weights; that
// thread gets it directly, through its hand-off slot, if it is searching for work. A thread that finds nothing takes what waits
// for others, and spins for a short while before it sleeps. How: work_queues.hpp.
#include "actors/threads/thread_times.hpp"
#include <caf/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <vector>

namespace troupe {

struct workers_options {
  uint32_t threads = 0; // 0: as many as usable_processors().
  // How many threads may be awake at once, working or searching; the others sleep and take no time from these. 0: as many as
  // usable_processors(). (More threads than that are of use only to tests.)
  uint32_t awake_max = 0;
  // How long a thread spins, searching for work, before it sleeps. At least the usual pause between two messages on the path of
  // a token; each pause longer than that costs one wake-up, and this much CPU time per thread.
  std::chrono::nanoseconds spin = std::chrono::microseconds(200);
  // Pins thread i to the i-th CPU this process may use. Off, the kernel may run two threads on one CPU while another
  // idles; on, a thread waits for its CPU while another process uses it. Detached actors inherit the CPU of their parent. Without
  // effect with more threads than CPUs: those that are awake may not be those of different CPUs.
  bool pin = false;
};

/// An actor's handler that never returns takes its thread along. C++ cannot end it, so there are so many more threads than asked for,
/// which sleep until others have been in one handler for half a second. As long as one thread of all is left, actors run.
constexpr uint32_t spare_threads = 8;

/// Makes actor systems of `config` run on such threads. Call it before the system is created. Does nothing when the
/// configuration already asks for the policy `testing`: simulations have no threads.
/// Throws std::system_error when the operating system does not create so many threads now. Tried beforehand, because CAF ends the process
/// when it cannot create its own.
void configure_workers(caf::actor_system_config& config, workers_options options = {});

/// Of all worker threads but the spare ones that were never needed, in the same order each time. Empty for a system without these
/// workers, and where the operating system does not say. Any thread may call it once all workers have begun; before that the threads
/// that have are missing.
std::vector<thread_times> worker_times(caf::actor_system& system);

/// Time spent inside actors, summed over all worker threads since the system was created. A job that is running counts when it
/// is over. Zero for a system without these workers. Any thread may call it.
std::chrono::nanoseconds busy_time(caf::actor_system& system);

/// The ids of the actors that run at this moment, at most one for each worker thread; asked again and again, it tells how the time is
/// shared out. Takes a few loads, no message and no lock. Empty for a system without these workers. Any thread may call it.
std::vector<uint64_t> running_actors(caf::actor_system& system);

} // namespace troupe
