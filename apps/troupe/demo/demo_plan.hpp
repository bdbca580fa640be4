#pragma once
// What goes wrong in a demonstration: an attention head, a layer and a supervisor are killed.
#include "troupe/v1/faults.pb.h"
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

/// Kills by steps, so that they come at the same places of the texts on every machine. pace_ms > 0: every step takes so much longer, so
/// that a person can read along.
v1::FaultPlan demo_plan(uint32_t layers, double pace_ms);

/// The kills of a plan, as opposed to its pace.
bool is_kill(const v1::FaultInjection& injection);

/// "attention head 2 of layer 3", "the supervisor of layer 5": what the actor at this path is, for a person.
std::string describe_actor(std::string_view path);

} // namespace troupe
