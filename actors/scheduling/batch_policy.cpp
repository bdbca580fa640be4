#include "actors/scheduling/batch_policy.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <utility>

namespace troupe {

void batch_policy::join(joining_sequence sequence) {
  TROUPE_ASSERT(!sequence.tokens.empty());
  auto [it, is_new] = entries_.try_emplace(sequence.id);
  auto& e = it->second;
  if (sequence.tokens.size() < e.tokens.size()) return; // Token logs only grow: this is an older message that comes late.
  if (is_new) {
    e.arrival = ++arrivals_;
    e.last_served = steps_;
    // A sequence that joins again after it has left must not lose its caches because of the earlier release.
    std::erase(released_, sequence.id);
  }
  e.tokens = std::move(sequence.tokens);
  e.cached = std::min<uint32_t>(sequence.cached, uint32_t(e.tokens.size()) - 1);
  e.computed_most = std::max(e.computed_most, e.cached);
  e.logits_from = std::min<uint32_t>(sequence.logits_from, uint32_t(e.tokens.size()) - 1);
  e.wants_hidden_states = sequence.wants_hidden_states;
  e.priority = sequence.priority;
  e.awaits_token = false;
  e.asks = 0;
}

void batch_policy::append(uint64_t sequence, uint32_t position, uint32_t token) {
  const auto it = entries_.find(sequence);
  if (it == entries_.end() || position != it->second.tokens.size()) return;
  auto& e = it->second;
  e.tokens.push_back(token);
  e.logits_from = position; // What was asked for earlier has been delivered.
  e.awaits_token = false;
  e.asks = 0;
}

void batch_policy::remove(uint64_t id) {
  if (entries_.erase(id) > 0) release(id);
}

void batch_policy::release(uint64_t id) {
  if (std::find(released_.begin(), released_.end(), id) == released_.end()) released_.push_back(id);
}

void batch_policy::leave(uint64_t sequence) { remove(sequence); }

std::vector<uint64_t> batch_policy::ask_again() {
  std::vector<uint64_t> silent;
  for (auto& [id, e] : entries_) {
    if (!e.awaits_token) continue;
    if (++e.asks > asks_max) silent.push_back(id);
    e.awaits_token = false;
    e.cached = std::min<uint32_t>(e.cached, uint32_t(e.tokens.size()) - 1);
  }
  for (const uint64_t id : silent) remove(id);
  return silent;
}

bool batch_policy::awaits_tokens() const {
  return std::any_of(entries_.begin(), entries_.end(), [](const auto& it) { return it.second.awaits_token; });
}

std::vector<uint64_t> batch_policy::order_of_service() const {
  using key = std::tuple<int64_t, bool, uint64_t, uint64_t, uint64_t>;
  std::vector<key> keys;
  for (const auto& [id, e] : entries_) {
    if (!e.is_ready()) continue;
    const int64_t raised = int64_t(e.priority) + int64_t((steps_ - e.last_served) / 64);
    const bool is_prefill = e.tokens.size() - e.cached > 1;
    keys.emplace_back(-raised, is_prefill, e.last_served, e.arrival, id);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<uint64_t> ids;
  for (const auto& k : keys) ids.push_back(std::get<4>(k));
  return ids;
}

bool batch_policy::comes_before(const entry& a, const entry& b) const {
  return std::make_pair(-int64_t(a.priority), a.arrival) < std::make_pair(-int64_t(b.priority), b.arrival);
}

/// Makes room for all of a sequence's tokens, by preempting sequences that come after it, last first. False: not possible, and
/// none was preempted. Every sequence that has begun counts with all its tokens: one that begins without room for the rest of
/// them would be preempted before it is done, and would have computed in vain.
bool batch_policy::make_room(uint64_t for_sequence, const planned_step& step) {
  const auto& own = entries_.at(for_sequence);
  uint64_t wanted = own.tokens.size();
  std::vector<entry_map::iterator> others;
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    const auto& [id, e] = *it;
    const bool is_planned = std::any_of(step.slices.begin(), step.slices.end(),
                                        [i = id](const planned_slice& s) { return s.sequence == i; });
    if (id == for_sequence || (e.cached == 0 && !is_planned)) continue;
    wanted += e.tokens.size();
    if (!is_planned && comes_before(own, e)) others.push_back(it);
  }
  const auto comes_later = [this](auto a, auto b) { return comes_before(b->second, a->second); };
  std::sort(others.begin(), others.end(), comes_later);
  auto last = others.begin();
  for (; last != others.end() && wanted > limits_.cache_positions_max; ++last) wanted -= (*last)->second.tokens.size();
  if (wanted > limits_.cache_positions_max) return false;
  for (auto it = others.begin(); it != last; ++it) {
    (*it)->second.cached = 0;
    release((*it)->first);
  }
  return true;
}

void batch_policy::add_slice(uint64_t id, planned_step& step) {
  auto& e = entries_.at(id);
  uint32_t logits_left = limits_.logits_rows_max;
  for (const auto& s : step.slices) logits_left -= std::min(logits_left, s.logits_rows);
  const uint32_t size = uint32_t(e.tokens.size());
  uint32_t rows = std::min({size - e.cached, limits_.prefill_chunk, limits_.step_rows_max - uint32_t(step.tokens.size())});
  const uint32_t without_logits = e.logits_from > e.cached ? e.logits_from - e.cached : 0;
  rows = std::min(rows, without_logits + logits_left);
  if (rows == 0 || !make_room(id, step)) return;
  const uint32_t end = e.cached + rows;
  const uint32_t logits_rows = end > e.logits_from ? end - std::max(e.logits_from, e.cached) : 0;
  step.slices.push_back({id, e.cached, rows, logits_rows});
  step.tokens.insert(step.tokens.end(), e.tokens.begin() + e.cached, e.tokens.begin() + end);
  step.observe_hidden_states |= e.wants_hidden_states;
  step.has_prefill |= size - e.cached > 1;
}

void batch_policy::add_all(const std::vector<uint64_t>& ids, planned_step& step) {
  for (const uint64_t id : ids) {
    if (step.tokens.size() >= limits_.step_rows_max) break;
    add_slice(id, step);
  }
}

std::optional<planned_step> batch_policy::plan() {
  planned_step step;
  auto healthy = order_of_service();
  std::vector<uint64_t> doubtful;
  const auto is_doubtful = [&](uint64_t id) { return entries_.at(id).failures >= failures_alone; };
  std::copy_if(healthy.begin(), healthy.end(), std::back_inserter(doubtful), is_doubtful);
  std::erase_if(healthy, is_doubtful);
  // In turn, so that neither the doubtful nor the others wait for long.
  if (doubted_last_) add_all(healthy, step);
  for (const uint64_t id : doubtful)
    if (step.slices.empty()) add_slice(id, step);
  doubted_last_ = !step.slices.empty() && is_doubtful(step.slices.front().sequence);
  if (step.slices.empty()) add_all(healthy, step);
  for (const uint64_t id : released_) {
    const auto runs = [id](const planned_slice& s) { return s.sequence == id; }; // Preempted and back again.
    if (std::none_of(step.slices.begin(), step.slices.end(), runs)) step.released.push_back(id);
  }
  if (step.slices.empty() && step.released.empty()) return std::nullopt;
  ++steps_;
  return step;
}

void batch_policy::succeeded(const planned_step& step) {
  std::erase_if(released_, [&](uint64_t id) {
    return std::find(step.released.begin(), step.released.end(), id) != step.released.end();
  });
  for (const auto& slice : step.slices) {
    const auto it = entries_.find(slice.sequence);
    if (it == entries_.end()) continue;
    auto& e = it->second;
    const uint32_t end = slice.position + slice.rows;
    std::erase(released_, slice.sequence);
    rows_replayed_ += std::min(end, std::max(e.computed_most, slice.position)) - slice.position;
    e.cached = end;
    e.computed_most = std::max(e.computed_most, end);
    e.last_served = steps_;
    e.failures = e.lates = 0;
    if (end > e.poisoned_from) e.poisonings = e.poisonings_here = 0;
    e.awaits_token = end == e.tokens.size();
  }
}

void batch_policy::missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses) {
  for (const auto& [id, positions] : misses) {
    const auto it = entries_.find(id);
    if (it != entries_.end()) it->second.cached = std::min(it->second.cached, positions);
  }
}

bool batch_policy::is_known_poisoned(const std::vector<uint64_t>& suspects, const std::string& path) const {
  return std::all_of(suspects.begin(), suspects.end(), [&](uint64_t id) {
    const auto it = entries_.find(id);
    return it == entries_.end() || (it->second.poisonings > 0 && it->second.poisoned_at == path);
  });
}

std::vector<uint64_t> batch_policy::poisoned(const std::vector<uint64_t>& suspects, const std::string& path) {
  std::vector<uint64_t> given_up;
  for (const uint64_t id : suspects) {
    const auto it = entries_.find(id);
    if (it == entries_.end()) continue;
    auto& e = it->second;
    if (std::exchange(e.poisoned_at, path) != path) e.poisonings_here = 0;
    e.poisoned_from = std::max(e.poisonings > 0 ? e.poisoned_from : 0, e.cached);
    if (++e.poisonings_here >= poisonings_max || ++e.poisonings >= failures_max) given_up.push_back(id);
    if (e.poisonings >= 2) e.cached = 0;
  }
  for (const uint64_t id : given_up) remove(id);
  return given_up;
}

std::vector<uint64_t> batch_policy::failed(const planned_step& step, bool was_late) {
  std::vector<uint64_t> given_up;
  for (const auto& slice : step.slices) {
    const auto it = entries_.find(slice.sequence);
    if (it == entries_.end()) continue;
    auto& e = it->second;
    ++e.failures;
    e.lates += was_late;
    e.last_served = steps_; // It had its turn.
    const bool is_enough = e.failures - e.lates >= failures_max || e.failures >= lates_max;
    if (step.slices.size() == 1 && is_enough) given_up.push_back(slice.sequence);
  }
  for (const uint64_t id : given_up) remove(id);
  return given_up;
}

} // namespace troupe
