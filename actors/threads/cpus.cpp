#include "actors/threads/cpus.hpp"

#if defined(__linux__)
#include <pthread.h>
#include <sched.h>
#endif

namespace troupe {

std::vector<int> usable_cpus() {
  std::vector<int> result;
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
      if (CPU_ISSET(cpu, &set))
        result.push_back(cpu);
#endif
  return result;
}

void pin_this_thread([[maybe_unused]] int cpu) {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  (void) pthread_setaffinity_np(pthread_self(), sizeof set, &set);
#endif
}

} // namespace troupe
