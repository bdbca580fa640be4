#pragma once
// Which CPUs this process may use, and how a thread is pinned to one of them.
#include <vector>

namespace troupe {

/// In ascending order; empty when the system does not say.
std::vector<int> usable_cpus();

/// From now on the calling thread runs there only. Does nothing where that cannot be done: the CPU may have gone offline in the
/// meantime, and a thread that is not pinned does the same work.
void pin_this_thread(int cpu);

} // namespace troupe
