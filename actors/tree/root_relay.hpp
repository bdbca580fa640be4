#pragma once
// Stands for the root in an actor system whose owner supervises the root himself, and so replaces it when it has ended.
#include "actors/interfaces/supervision.hpp"
#include <caf/all.hpp>

namespace troupe {

using root_relay_actor = root_actor::extend<caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// A handle of the root that never changes: for clients, which ask the root where the directory is, and keep their requests until there
/// is one. What it gets goes to the root of the moment, with its sender. While there is no root, questions for the directory wait for the
/// next one; those of the second before a root's end are asked again, because they may have come too late for it.
///
/// An exit_msg ends the root, and the relay when the root has ended.
///
/// Retry     (ActorStarted, handle) names the new root; a root that is still there is killed, with all its actors.
/// Restart   none: it does nothing else, and nothing makes it end.
root_relay_actor spawn_root_relay(caf::actor_system& system, const root_actor& root);

} // namespace troupe
