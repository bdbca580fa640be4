#pragma once
// Supervision after Erlang/OTP: policy is data, decisions are published, children start in order and stop in
// reverse.
#include "actors/directory.hpp"

#include <caf/all.hpp>

#include <functional>
#include <string>
#include <vector>

namespace troupe {

/// What else is restarted when one child ends unexpectedly.
enum class restart_strategy : uint8_t {
  one_for_one,        // That child alone.
  one_for_all,        // All children.
  rest_for_one,       // That child and those started after it.
  simple_one_for_one, // Children are all alike, started on demand from one spec; that child alone.
};

/// Which ends call for a restart. An end is normal when its reason is `normal` or `user_shutdown`.
enum class restart_kind : uint8_t {
  permanent, // Any.
  transient, // Abnormal ends only.
  temporary, // None.
};

/// A child's start function runs inside its supervisor. `self` is the supervisor, to spawn with (never
/// linked, never monitored: the supervisor does that); `path` is the child's path, for simple_one_for_one the
/// prefix (the child is then published as prefix/actor id); `args` is empty, or for simple_one_for_one what
/// the start was asked with. May throw: that counts as a failed start and is retried after back-off.
using child_start = std::function<caf::strong_actor_ptr(caf::scheduled_actor* self, const std::string& path,
                                                        const caf::message& args)>;

struct child_spec {
  std::string path; // For simple_one_for_one the prefix of all children's paths.
  child_start start;
  restart_kind restart = restart_kind::permanent;
  // Between the polite exit and the kill, and again until the child is given up.
  caf::timespan shutdown_max = std::chrono::milliseconds(500);
  bool gives_signs = false; // It answers CheckLife at once: when it does not, it hangs and is replaced (actors/life.hpp).
};

/// Sees every child spec of a troupe before its supervisor gets it, and may change it: most of all wrap `start`, so that
/// another actor stands between a child and all others. The one place where faults are injected; empty: nothing happens.
/// Runs inside whichever actor makes the spec.
using child_hook = std::function<void(child_spec&)>;

inline child_spec hooked(child_spec spec, const child_hook& hook) {
  if (hook) hook(spec);
  return spec;
}

struct supervisor_policy {
  restart_strategy strategy = restart_strategy::one_for_one;
  uint32_t restarts_max = 10; // More within `period`: escalate. Of a supervisor that gave up: a third of it.
  caf::timespan period = std::chrono::seconds(10);
  // Before the second restart of the same child within `period`; doubles with each further one up to the
  // maximum. The first restart is immediate.
  caf::timespan backoff_first = std::chrono::milliseconds(0);
  caf::timespan backoff_max = std::chrono::seconds(1);
};

/// Mailbox of every supervisor; directory sends AbandonActor. CheckLife is answered, and goes on to all children that give
/// signs of life; one that does not is abandoned. An exit_msg stops all children in reverse
/// order, waits for them (each at most its shutdown_max, then kill, then it is given up), and ends with the
/// exit_msg's reason. A message outside this interface, or one that makes no sense, ends the supervisor: a
/// broken invariant.
using supervisor_actor =
  caf::typed_actor<caf::reacts_to<v1::AbandonActor>, caf::reacts_to<v1::SupervisorTick>, caf::reacts_to<v1::CheckLife>,
                   caf::reacts_to<v1::SignOfLife>>;

/// Spawns a supervisor at `path` with children that are started at once, in order, and published in
/// `directory` (which may be null: nothing is published then). Keep the handle: a supervisor that nobody
/// holds ends, and its children with it.
supervisor_actor spawn_supervisor(caf::actor_system& system, std::string path, supervisor_policy policy,
                                  std::vector<child_spec> children, directory_actor directory);

/// A supervisor as a child of another one. Its shutdown_max is long enough for everything below it.
child_spec supervisor_child(std::string path, supervisor_policy policy, std::vector<child_spec> children,
                            directory_actor directory);

/// How long a supervisor of these children may take to stop them all, when all of them hang.
caf::timespan shutdown_max_of(const std::vector<child_spec>& children);

} // namespace troupe
