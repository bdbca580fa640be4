#pragma once
// The threads that run actors: a scheduling policy for CAF, made for short rounds of fork and join. One actor gives a few
// actors 10 to 300 us of work each and goes on when all have answered, thousands of times a second.
//
// CAF's own policies do badly there. Work stealing keeps the receivers of an actor's messages on the sender's thread until an
// idle thread happens to poll; work sharing puts a thread to sleep as soon as nothing is left, and waking it costs 60 to
// 100 us. Here an actor has affinity to the thread that ran it last, whose caches still hold its data and its weights; that
// thread gets it directly, through its hand-off slot, if it is searching for work. A thread that finds nothing takes what waits
// for others, and spins for a short while before it sleeps. How: work_queues.hpp.
#include <caf/fwd.hpp>

#include <chrono>
#include <cstdint>

namespace troupe {

struct workers_options {
  uint32_t threads = 0; // 0: as many as CPUs this process may use.
  // How long a thread spins, searching for work, before it sleeps. At least the usual pause between two messages on the path of
  // a token; each pause longer than that costs one wake-up, and this much CPU time per thread. With more threads than CPUs
  // no thread spins: it would keep a thread with work off the CPU.
  std::chrono::nanoseconds spin = std::chrono::microseconds(200);
  // Pins thread i to the i-th CPU this process may use. Off, the kernel may run two threads on one CPU while another
  // idles; on, a thread waits for its CPU while another process uses it. Detached actors inherit the CPU of their parent.
  bool pin = false;
};

/// Makes actor systems of `config` run on such threads. Call it before the system is created. Does nothing when the
/// configuration already asks for the policy `testing`: simulations have no threads.
void configure_workers(caf::actor_system_config& config, workers_options options = {});

/// Time spent inside actors, summed over all worker threads since the system was created. A job that is running counts when it
/// is over. Zero for a system without these workers. Any thread may call it.
std::chrono::nanoseconds busy_time(caf::actor_system& system);

} // namespace troupe
