#pragma once
// Which processors this process may use, and how a thread is tied to one of them.
#include <vector>

namespace troupe {

/// In ascending order; empty when the system does not say.
std::vector<int> usable_cpus();

/// From now on the calling thread runs there only. Does nothing where that cannot be done: the processor may have gone since we
/// asked, and an untied thread does the same work.
void pin_this_thread(int cpu);

} // namespace troupe
