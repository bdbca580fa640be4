#pragma once
// What has changed in a tree of actors since the last look at it. Pure: no clock, no message.
#include "actors/engine.hpp"
#include <string>
#include <vector>

namespace troupe::service {

struct actor_changes {
  std::vector<actor_facts> started;            // Those that were not there, and replacements: another id at the same path.
  std::vector<std::string> gone;               // Paths where nobody is now.
  std::vector<supervisor_decision> recoveries; // Decisions to start an actor again, or to escalate, oldest first.
};

/// O(n log n) for n actors. Decisions beyond those that the directory remembers are missing.
actor_changes changes_between(const supervision_facts& before, const supervision_facts& now);

} // namespace troupe::service
