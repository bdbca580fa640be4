#pragma once
// Carries out a fault plan, in any program and in simulation alike: at the boundary between actors, without a line of code
// in the actors themselves.
#include "actors/faults/injector_config.hpp"
#include "actors/faults/proxy.hpp"
#include "actors/supervision/child_spec.hpp"

namespace troupe {

/// Sees every message between the actors of one troupe, and its clients, and injects faults as the plan says.
///
/// Every actor that the hook sees started gets a proxy: the other actors only have the proxy's handle. A proxy passes what it
/// gets to the injector, which names the sender's proxy as the sender (so that answers pass too), does the same with handles
/// inside messages, decides, and delivers. So all state and all randomness are in one actor: nothing is locked, messages keep
/// their order, and a simulation with the same seed injects the same faults. A troupe without a plan has no hook, no proxies
/// and no injector: it costs nothing.
///
/// Errors    input_error for a plan that cannot be carried out here.
/// Restart   none: it is part of the test rig, and no fault is injected into it. It holds what is delayed or hung; when it
///           gets an exit_msg it kills the actors that hang and ends. Send that after the troupe has ended.
fault_injector_actor spawn_fault_injector(caf::actor_system& system, injector_config config);

/// For troupe_config::hook: every actor whose start it sees is disturbed by this injector.
child_hook hook_of(const fault_injector_actor& injector);

} // namespace troupe
