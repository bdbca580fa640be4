#include "apps/service/dashboard/actor_changes.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <unordered_map>

namespace troupe::service {
namespace {

std::unordered_map<std::string_view, uint64_t> ids_by_path(const supervision_facts& facts) {
  std::unordered_map<std::string_view, uint64_t> ids;
  for (const auto& one : facts.actors) ids.emplace(one.path, one.id);
  return ids;
}

} // namespace

actor_changes changes_between(const supervision_facts& before, const supervision_facts& now) {
  actor_changes changes;
  const auto then = ids_by_path(before), present = ids_by_path(now);
  for (const auto& one : now.actors) {
    const auto known = then.find(one.path);
    if (known == then.end() || known->second != one.id) changes.started.push_back(one);
  }
  for (const auto& one : before.actors)
    if (!present.contains(one.path)) changes.gone.push_back(one.path);
  // A directory that was started again counts from 0.
  const uint64_t fresh = now.decisions_total < before.decisions_total ? now.decisions_total : now.decisions_total - before.decisions_total;
  const auto count = std::min<uint64_t>(fresh, now.decisions.size());
  for (auto it = now.decisions.end() - ptrdiff_t(count); it != now.decisions.end(); ++it)
    if (it->what != supervisor_decision::kind::stop) changes.recoveries.push_back(*it);
  return changes;
}

} // namespace troupe::service
