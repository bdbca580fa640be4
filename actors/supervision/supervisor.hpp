#pragma once
// Supervision as in Erlang/OTP: policy is data, decisions are published, children start in order and stop in
// reverse.
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/child_spec.hpp"

namespace troupe {

/// Spawns a supervisor at `path` with children that are started at once, in order, and published in
/// `directory` (which may be null: nothing is published then). Keep the handle: a supervisor without a handle
/// to it ends, and its children with it.
supervisor_actor spawn_supervisor(caf::actor_system& system, std::string path, supervisor_policy policy,
                                  std::vector<child_spec> children, directory_actor directory);

/// A supervisor as a child of another one. Its shutdown_max is long enough for everything below it.
child_spec supervisor_child(std::string path, supervisor_policy policy, std::vector<child_spec> children,
                            directory_actor directory);

/// How long a supervisor of these children may need to stop them all, when all of them hang.
caf::timespan shutdown_max_of(const std::vector<child_spec>& children);

} // namespace troupe
