#include "actors/supervision/running_time.hpp"

#include "actors/threads/workers.hpp"

#include <algorithm>

namespace troupe {

caf::timespan running_time::look(caf::local_actor* self, caf::timespan longest) {
  const auto now = self->clock().now();
  const bool is_first = before_ == caf::actor_clock::time_point{};
  const caf::timespan passed = is_first ? caf::timespan(0) : now - before_;
  before_ = now;
  return std::min(passed - starvation_.add(passed, worker_times(self->system())), longest);
}

} // namespace troupe
