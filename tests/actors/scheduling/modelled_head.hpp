#pragma once
// The caches that one attention head would hold: of each sequence the tokens whose keys and values they are.
#include "actors/scheduling/batch_policy.hpp"
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace troupe::testing {

struct modelled_head {
  std::map<uint64_t, std::vector<uint32_t>> held;

  /// As a head does: forks, then releases, then looks for misses; if there are any, nothing is computed.
  std::vector<std::pair<uint64_t, uint32_t>> run(const planned_step& step) {
    for (const auto& s : step.slices) {
      const auto from = held.find(s.forked_from);
      if (s.forked_from == 0 || from == held.end() || from->second.size() < s.position) continue;
      if (auto& own = held[s.sequence]; own.size() < s.position) own.assign(from->second.begin(), from->second.begin() + s.position);
    }
    for (const uint64_t id : step.released) held.erase(id);
    std::vector<std::pair<uint64_t, uint32_t>> misses;
    for (const auto& s : step.slices)
      if (held[s.sequence].size() < s.position) misses.emplace_back(s.sequence, uint32_t(held[s.sequence].size()));
    if (!misses.empty()) return misses;
    size_t row = 0;
    for (const auto& s : step.slices) {
      auto& own = held[s.sequence];
      own.resize(s.position);
      for (uint32_t i = 0; i < s.rows; ++i) own.push_back(step.tokens[row++]);
    }
    return {};
  }
  uint64_t total() const {
    uint64_t sum = 0;
    for (const auto& [id, tokens] : held) sum += tokens.size();
    return sum;
  }
};

} // namespace troupe::testing
