#pragma once
// The clock by which actors are late.
#include "actors/threads/thread_times.hpp"
#include <caf/all.hpp>

namespace troupe {

/// Time in which every worker thread of an actor system ran whenever it had something to do. An actor is late by this time only: what a
/// process did not get to do because others had the processors, because its CPU quota was used up, or because it was stopped or is
/// being debugged, is the fault of none of its actors.
///
/// An actor that waits for something looks every now and then (at ticks it sends itself) and adds up what passed from look to look.
/// Looking costs some 20 us for each worker thread. In simulation, and where the system says nothing of its threads, all time counts.
class running_time {
public:
  /// What passed since the look before, as far as it counts; of a longer time at most `longest`, because whoever looks was held up too.
  /// Nothing at the first look.
  caf::timespan look(caf::local_actor* self, caf::timespan longest);

private:
  starvation starvation_;
  caf::actor_clock::time_point before_{};
};

} // namespace troupe
