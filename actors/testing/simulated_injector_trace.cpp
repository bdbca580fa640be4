// The trace of a simulated run, for a person: one line for everything that happens.
#include "actors/testing/simulated_injector.hpp"

#include <cstdio>

namespace troupe::testing {

std::string simulated_injector::clock() {
  const double ms = double((actors_->sim.now().time_since_epoch()).count()) / 1e6;
  char text[32];
  std::snprintf(text, sizeof text, "%6llu %11.3f ms  ", static_cast<unsigned long long>(step_), ms);
  return text;
}

void simulated_injector::note(std::string_view what, const std::string& details) {
  if (trace_) trace_(clock() + std::string(what) + (details.empty() ? "" : " ") + details);
}

void simulated_injector::note(const message_record& here, std::string_view effect) {
  std::string line = clock() + (here.from ? here.from->name() : "/") + " -> " + here.to.name() + "  ";
  line += here.facts.name;
  if (here.facts.step != step_id{})
    line += " " + std::to_string(here.facts.step.epoch) + "." + std::to_string(here.facts.step.step);
  trace_(effect.empty() ? line : line + "  [" + std::string(effect) + "]");
}

} // namespace troupe::testing
