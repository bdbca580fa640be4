#pragma once
#include "troupe/v1/faults.pb.h"
#include <caf/timespan.hpp>
#include <functional>
#include <memory>

namespace troupe {

struct injector_config {
  std::shared_ptr<const v1::FaultPlan> plan; // As `checked` or `parse_fault_plan` gave it.
  /// Moves the actors' clock on. Only a simulation has one; without it a plan with clock_jump is an input_error.
  std::function<void(caf::timespan)> jump_clock = {};
};

} // namespace troupe
