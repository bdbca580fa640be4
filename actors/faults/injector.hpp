#pragma once
// Makes a fault plan come true, in any program and in simulation alike: at the boundary between actors, without a line in
// the actors themselves.
#include "actors/faults/stand_in.hpp"
#include "actors/supervisor.hpp"
#include <functional>
#include <memory>

namespace troupe {

struct injector_config {
  std::shared_ptr<const v1::FaultPlan> plan; // As `checked` or `parse_fault_plan` gave it.
  /// Moves the actors' clock on. Only a simulation has one; without it a plan with clock_jump is an input_error.
  std::function<void(caf::timespan)> jump_clock = {};
};

/// Sees every message between the actors of one troupe, and its clients, and strikes as the plan says.
///
/// Every actor that the hook sees started gets a stand-in: that is who the others know. A stand-in hands what it gets to the
/// injector, which names the sender's stand-in as the sender (so that answers pass too), does the same with handles inside
/// messages, decides, and delivers. So all state and all chance are in one actor: nothing is locked, messages keep their
/// order, and a simulation with the same seed strikes the same way. A troupe without a plan has no hook, no stand-ins and no
/// injector: it costs nothing.
///
/// Errors    input_error for a plan that cannot be carried out here.
/// Restart   none: it is part of the test rig, and nothing strikes at it. It holds what is delayed or hung; when it gets an
///           exit_msg it kills the actors that hang and ends. Send that after the troupe has ended.
fault_injector_actor spawn_fault_injector(caf::actor_system& system, injector_config config);

/// For troupe_config::hook: everyone whose start it sees is disturbed by this injector.
child_hook hook_of(const fault_injector_actor& injector);

} // namespace troupe
