#pragma once
// What messages supervisors, the root and the directory handle: their typed handles. Which actor sends what to which is said
// in messages/troupe/v1/supervision.proto.
#include "messages/caf_message.hpp"
#include "troupe/v1/faults.pb.h"
#include "troupe/v1/supervision.pb.h"
#include <caf/all.hpp>

namespace troupe {

using directory_actor =
  caf::typed_actor<caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>, // From supervisors.
                   caf::reacts_to<v1::SupervisorDecision>, // From supervisors; the latest are kept.
                   caf::reacts_to<v1::Subscribe, caf::strong_actor_ptr>, // The second element is the subscriber.
                   caf::reacts_to<v1::AbandonActor>, // Passed on to the supervisor of the path.
                   caf::reacts_to<v1::CheckLiveness>,
                   caf::replies_to<v1::ListActors>::with<v1::ActorList>>;

/// A subscriber gets (ActorStarted, handle) messages: at once for known paths, then at every replacement.
using subscriber_actor = caf::typed_actor<caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// Every supervisor. The directory sends it AbandonActor. It answers CheckLiveness itself and then asks all children that
/// answer liveness checks; a child that does not reply is abandoned: dropped without waiting for its end, and replaced. An
/// exit_msg stops all children in reverse order, waits for them (each at most its shutdown_max, then it is killed, then it is
/// given up), and ends the supervisor with the exit_msg's reason. A message outside this interface, or one that makes no
/// sense, ends the supervisor: a broken invariant.
using supervisor_actor =
  caf::typed_actor<caf::reacts_to<v1::AbandonActor>, caf::reacts_to<v1::SupervisorTick>, caf::reacts_to<v1::CheckLiveness>,
                   caf::reacts_to<v1::LivenessReply>>;

/// The root supervisor (actors/tree/root.hpp). It also answers where the directory is, and changes the fault injector.
using root_actor = supervisor_actor::extend<caf::reacts_to<v1::FindDirectory>,
                                            caf::reacts_to<v1::UseFaultInjector, caf::strong_actor_ptr>>;

} // namespace troupe
