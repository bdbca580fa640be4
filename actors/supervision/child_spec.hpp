#pragma once
// What a supervisor is told about its children: how each is started, and which of them are restarted together. As in
// Erlang/OTP, policy is data.
#include <caf/all.hpp>

#include <chrono>
#include <cstdint>
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
/// prefix (the child is then published as prefix/actor id); `args` is empty, or for simple_one_for_one the
/// arguments of start_child. May throw: that counts as a failed start and is retried after back-off.
using child_start = std::function<caf::strong_actor_ptr(caf::scheduled_actor* self, const std::string& path,
                                                        const caf::message& args)>;

struct child_spec {
  std::string path; // For simple_one_for_one the prefix of all children's paths.
  child_start start;
  restart_kind restart = restart_kind::permanent;
  // Between the exit message and the kill, and again between the kill and giving the child up.
  caf::timespan shutdown_max = std::chrono::milliseconds(500);
  // It answers CheckLiveness at once; if it does not, it hangs and is replaced (actors/supervision/liveness.hpp).
  bool answers_liveness_checks = false;
};

/// Sees every child spec of a troupe before its supervisor gets it, and may change it: above all it may wrap `start`, so that a
/// proxy stands between a child and all other actors. The one place where faults are injected; empty: no spec is changed.
/// Runs inside the actor that makes the spec.
using child_hook = std::function<void(child_spec&)>;

inline child_spec hooked(child_spec spec, const child_hook& hook) {
  if (hook) hook(spec);
  return spec;
}

struct supervisor_policy {
  restart_strategy strategy = restart_strategy::one_for_one;
  uint32_t restarts_max = 10; // More within `period`: escalate. The end of a child supervisor that gave up counts as a third.
  caf::timespan period = std::chrono::seconds(10);
  // Before the second restart of the same child within `period`; doubles with each further one up to the
  // maximum. The first restart is immediate.
  caf::timespan backoff_first = std::chrono::milliseconds(0);
  caf::timespan backoff_max = std::chrono::seconds(1);
};

} // namespace troupe
