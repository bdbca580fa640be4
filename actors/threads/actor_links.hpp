#pragma once
// Where an actor that waits for a thread keeps its link in the thread's queue (job_queue.hpp).
#include <caf/actor_control_block.hpp>
#include <caf/actor_storage.hpp>
#include <caf/resumable.hpp>
#include <caf/scheduled_actor.hpp>

namespace troupe {

/// CAF keeps an actor's control block on a cache line of its own, in front of the actor, and leaves the end of that line unused:
/// the link is there. It costs no memory, and no cache line either: whoever adds an actor to a queue has just written the
/// actor's reference count, on the same line. CAF has an actor wait in one queue at most.
struct actor_links {
  /// Null for the one kind of job that is no actor: with which CAF ends its threads, one after the other.
  static caf::resumable** of(caf::resumable* job) {
    static_assert(sizeof(caf::actor_control_block) + sizeof(caf::resumable*) <= CAF_CACHE_LINE_SIZE,
                  "this CAF leaves no room behind the control block");
    static_assert(sizeof(caf::actor_control_block) % alignof(caf::resumable*) == 0);
    if (job->subtype() != caf::resumable::scheduled_actor)
      return nullptr;
    auto* block = static_cast<caf::scheduled_actor*>(job)->ctrl();
    return reinterpret_cast<caf::resumable**>(block + 1);
  }

  /// 0 for a job that is no actor.
  static caf::actor_id id_of(caf::resumable* job) {
    if (job->subtype() != caf::resumable::scheduled_actor)
      return 0;
    return static_cast<caf::scheduled_actor*>(job)->ctrl()->aid;
  }
};

} // namespace troupe
