#pragma once
// GET /metrics
#include "apps/service/serving/context.hpp"
#include <string>
#include <vector>

namespace troupe::service {

/// What an engine says of itself; collected by a background job.
struct engine_reading {
  std::string model;
  engine_statistics statistics;
  std::vector<actor_facts> actors;
  std::vector<worker_facts> workers;
};

std::string metrics_page(const context& in, const std::vector<engine_reading>& engines);

} // namespace troupe::service
