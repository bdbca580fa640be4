#include "apps/troupe/demo/demo_plan.hpp"
#include "actors/faults/plan.hpp"
#include "actors/interfaces/paths.hpp"
#include <algorithm>
#include <vector>

namespace troupe {
namespace {

constexpr std::string_view pace_name = "pace";

void add_kill(v1::FaultPlan& plan, const std::string& path, uint64_t step) {
  auto& fault = *plan.add_faults();
  fault.set_name("kill " + path);
  fault.mutable_selector()->set_path(path);
  fault.mutable_selector()->set_to(paths::scheduler); // A step's end.
  fault.mutable_selector()->set_message("LogitsResult");
  fault.mutable_trigger()->set_nth_message(step);
  fault.mutable_effect()->mutable_kill();
}

std::vector<std::string> segments(std::string_view path) {
  std::vector<std::string> all;
  for (size_t at = 1; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    all.emplace_back(path.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

} // namespace

v1::FaultPlan demo_plan(uint32_t layers, double pace_ms) {
  v1::FaultPlan plan;
  plan.set_name("demo");
  if (pace_ms > 0) {
    auto& pace = *plan.add_faults();
    pace.set_name(std::string(pace_name));
    pace.mutable_selector()->set_path(paths::output(0));
    pace.mutable_effect()->mutable_slow_down()->set_added_ms(pace_ms);
  }
  const auto last = layers - 1;
  add_kill(plan, paths::head(paths::layer(0, last / 3), 0), 35);
  add_kill(plan, paths::layer(0, last / 2), 70);
  add_kill(plan, paths::supervisor(paths::layer(0, last)), 105);
  return checked(std::move(plan));
}

bool is_kill(const v1::FaultInjection& injection) { return injection.fault() != pace_name; }

std::string describe_actor(std::string_view path) {
  const auto parts = segments(path); // replica, 0, layer, 2, head, 1
  const auto is = [&](size_t i, std::string_view name) { return i < parts.size() && parts[i] == name; };
  if (!is(0, "replica") || !is(2, "layer") || parts.size() < 4) return "the actor " + std::string(path);
  const std::string layer = "layer " + parts[3];
  if (parts.size() == 4) return layer;
  if (is(4, "supervisor")) return "the supervisor of " + layer;
  if (is(4, "head") && parts.size() == 6) return "attention head " + parts[5] + " of " + layer;
  return "the actor " + std::string(path);
}

} // namespace troupe
