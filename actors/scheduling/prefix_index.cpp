#include "actors/scheduling/prefix_index.hpp"

#include "model/error.hpp"

#include <algorithm>

namespace troupe {
namespace {

uint64_t mixed(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
  return hash ^ hash >> 29;
}

uint32_t tokens_in_common(const cached_log& a, const cached_log& b, uint32_t limit) {
  const auto most = std::ptrdiff_t(std::min<size_t>({a.tokens.size(), b.tokens.size(), limit}));
  return uint32_t(std::mismatch(a.tokens.begin(), a.tokens.begin() + most, b.tokens.begin()).first - a.tokens.begin());
}

} // namespace

void prefix_index::hash_blocks(cached_log& log, uint32_t count) const {
  while (log.blocks.size() < count) {
    uint64_t hash = 0;
    if (!log.blocks.empty()) hash = log.blocks.back();
    else
      for (const char c : log.tenant) hash = mixed(hash, uint8_t(c) + 1);
    const auto first = log.tokens.begin() + std::ptrdiff_t(log.blocks.size() * block_);
    for (auto token = first; token != first + block_; ++token) hash = mixed(hash, *token);
    log.blocks.push_back(hash);
  }
}

void prefix_index::hold(cached_log& log, uint32_t positions) {
  if (block_ == 0) return;
  const auto count = uint32_t(std::min<size_t>(positions, log.tokens.size()) / block_);
  hash_blocks(log, count);
  for (; log.indexed < count; ++log.indexed) holders_.emplace(std::pair(log.blocks[log.indexed], log.id), &log);
  for (; log.indexed > count; --log.indexed) holders_.erase({log.blocks[log.indexed - 1], log.id});
}

prefix_index::match prefix_index::find(cached_log& log, uint32_t limit) const {
  if (block_ == 0 || holders_.empty()) return {};
  uint32_t count = uint32_t(std::min<size_t>(limit, log.tokens.size()) / block_);
  hash_blocks(log, count);
  // Who holds a prefix holds all that are shorter: so the longest is found by halving.
  const auto is_held = [&](uint64_t hash) {
    const auto it = holders_.lower_bound({hash, 0});
    return it != holders_.end() && it->first.first == hash;
  };
  count = uint32_t(std::partition_point(log.blocks.begin(), log.blocks.begin() + count, is_held) - log.blocks.begin());
  match best;
  if (count == 0) return best;
  const uint64_t hash = log.blocks[count - 1];
  auto it = holders_.lower_bound({hash, 0});
  for (int i = 0; i < compared_max && it != holders_.end() && it->first.first == hash; ++i, ++it) {
    const auto& other = *it->second;
    const uint32_t common = other.tenant == log.tenant ? tokens_in_common(log, other, limit) : 0;
    if (common < count * block_) continue; // Another prefix that happens to have this hash.
    if (!best.log || std::min(common, other.cached) > std::min(best.tokens, best.log->cached)) best = {&other, common};
  }
  return best;
}

void prefix_index::retain(cached_log log) {
  TROUPE_ASSERT(log.indexed == 0 && retained_.size() < retained_max);
  const uint64_t id = log.id;
  auto& [kept, used] = retained_[id];
  kept = std::move(log);
  kept.tokens.resize(kept.cached);
  used = ++uses_;
  by_use_[used] = id;
  positions_ += kept.cached;
  hold(kept, kept.cached);
}

void prefix_index::touch(uint64_t id) {
  const auto found = retained_.find(id);
  if (found == retained_.end()) return;
  by_use_.erase(found->second.used);
  by_use_[found->second.used = ++uses_] = id;
}

bool prefix_index::drop(uint64_t id) {
  const auto found = retained_.find(id);
  if (found == retained_.end()) return false;
  hold(found->second.log, 0);
  positions_ -= found->second.log.cached;
  by_use_.erase(found->second.used);
  retained_.erase(found);
  return true;
}

uint64_t prefix_index::drop_oldest() {
  TROUPE_ASSERT(!by_use_.empty());
  const uint64_t id = by_use_.begin()->second;
  drop(id);
  return id;
}

} // namespace troupe
