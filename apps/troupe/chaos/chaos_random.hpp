#pragma once
// A fault plan drawn from a seed.
#include "troupe/v1/faults.pb.h"
#include <string>
#include <vector>

namespace troupe {

/// `count` faults of kinds the runtime promises to survive, into actors from `paths`, spread over the first `span_ms`. The same
/// arguments, the same plan. All are optional: a fault may come when its target no longer does anything; count >= 1.
v1::FaultPlan random_plan(uint64_t seed, uint32_t count, const std::vector<std::string>& paths, double span_ms);

} // namespace troupe
