#include "actors/scheduling/batch_policy.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace troupe {

namespace {

constexpr int64_t steps_per_priority = 64, steps_for_prefill = 64;

} // namespace

// -- orders that are kept ----------------------------------------------------

void batch_policy::file(entry& e) {
  entry::indexed next;
  const bool is_running = e.cached > 0;
  if (e.is_ready() && e.in_step != part::preempted) {
    next.in = e.is_doubtful() ? doubtful : is_running ? running : waiting;
    next.at = {int64_t(e.last_served) + (e.is_prefill() ? steps_for_prefill : 0) - e.priority * steps_per_priority,
               -int64_t(e.priority), e.arrival};
  }
  if (is_running && e.in_step != part::planned) next.preemptible = e.own_rank();
  if (is_running || e.in_step == part::planned) next.positions = e.tokens.size();
  next.awaited = e.awaits_token;

  const auto& now = e.index;
  if (now.in != next.in || now.at != next.at) {
    if (now.in != lists) ready_[now.in].erase(now.at);
    if (next.in != lists) ready_[next.in].emplace(next.at, &e);
  }
  if (now.preemptible != next.preemptible) {
    if (now.preemptible) preemptible_.erase(*now.preemptible);
    if (next.preemptible) preemptible_.emplace(*next.preemptible, &e);
  }
  positions_ += next.positions - now.positions;
  if (now.awaited && !next.awaited) awaited_.erase(e.id);
  if (!now.awaited && next.awaited) awaited_.insert(e.id);
  e.index = next;
}

void batch_policy::unfile(entry& e) {
  if (e.index.in != lists) ready_[e.index.in].erase(e.index.at);
  if (e.index.preemptible) preemptible_.erase(*e.index.preemptible);
  if (e.index.awaited) awaited_.erase(e.id);
  positions_ -= e.index.positions;
}

batch_policy::entry* batch_policy::find(uint64_t id) {
  const auto it = entries_.find(id);
  return it == entries_.end() ? nullptr : &it->second;
}

// -- which sequences there are -----------------------------------------------

void batch_policy::join(joining_sequence sequence) {
  TROUPE_ASSERT(!sequence.tokens.empty());
  auto [it, is_new] = entries_.try_emplace(sequence.id);
  auto& e = it->second;
  if (sequence.tokens.size() < e.tokens.size()) return; // Token logs only grow: this is an older message that comes late.
  if (is_new) {
    e.id = sequence.id;
    e.arrival = ++arrivals_;
    e.last_served = steps_;
    // A sequence that joins again after it has left must not lose its caches because of the earlier release.
    released_.erase(sequence.id);
  }
  e.tokens = std::move(sequence.tokens);
  e.cached = std::min<uint32_t>(sequence.cached, uint32_t(e.tokens.size()) - 1);
  e.computed_most = std::max(e.computed_most, e.cached);
  e.logits_from = std::min<uint32_t>(sequence.logits_from, uint32_t(e.tokens.size()) - 1);
  e.wants_hidden_states = sequence.wants_hidden_states;
  e.priority = sequence.priority;
  e.awaits_token = false;
  e.asks = 0;
  file(e);
}

void batch_policy::append(uint64_t sequence, uint32_t position, uint32_t token) {
  auto* e = find(sequence);
  if (!e || position != e->tokens.size()) return;
  e->tokens.push_back(token);
  e->logits_from = position; // What was asked for earlier has been delivered.
  e->awaits_token = false;
  e->asks = 0;
  file(*e);
}

void batch_policy::leave(uint64_t id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  unfile(it->second);
  entries_.erase(it);
  released_.insert(id);
}

std::vector<uint64_t> batch_policy::ask_again() {
  std::vector<uint64_t> silent;
  for (const uint64_t id : std::set(awaited_)) {
    auto& e = entries_.at(id);
    if (++e.asks > asks_max) silent.push_back(id);
    e.awaits_token = false;
    e.cached = std::min<uint32_t>(e.cached, uint32_t(e.tokens.size()) - 1);
    file(e);
  }
  for (const uint64_t id : silent) leave(id);
  return silent;
}

// -- the next step -----------------------------------------------------------

struct batch_policy::forming_step {
  planned_step step;
  uint32_t logits_left = 0;
  std::vector<entry*> parts; // Those that are planned or preempted.

  bool is_full(const batch_limits& limits) const { return step.tokens.size() >= limits.step_rows_max; }
};

/// Makes room for all of a sequence's tokens, by preempting sequences that come after it, last first. False: not possible, and
/// none was preempted. Every running sequence counts with all its tokens: one that begins without room for the rest of
/// them would be preempted before it is done, and would have computed in vain.
bool batch_policy::make_room(entry& e, forming_step& step) {
  uint64_t wanted = positions_ + (e.cached > 0 ? 0 : e.tokens.size());
  std::vector<entry*> last;
  for (auto it = preemptible_.rbegin(); wanted > limits_.cache_positions_max; ++it) {
    if (it == preemptible_.rend() || it->first <= e.own_rank()) return false;
    wanted -= it->second->tokens.size();
    last.push_back(it->second);
  }
  for (auto* one : last) {
    one->cached = 0;
    one->in_step = part::preempted; // Until the next step it gives its room to this one.
    file(*one);
    released_.insert(one->id);
    step.parts.push_back(one);
  }
  return true;
}

bool batch_policy::add_slice(entry& e, forming_step& forming) {
  auto& step = forming.step;
  const uint32_t size = uint32_t(e.tokens.size());
  uint32_t rows = std::min({size - e.cached, limits_.prefill_chunk, limits_.step_rows_max - uint32_t(step.tokens.size())});
  const uint32_t without_logits = e.logits_from > e.cached ? e.logits_from - e.cached : 0;
  rows = std::min(rows, without_logits + forming.logits_left);
  if (rows == 0 || !make_room(e, forming)) return false;
  const uint32_t end = e.cached + rows;
  const uint32_t logits_rows = end > e.logits_from ? end - std::max(e.logits_from, e.cached) : 0;
  step.slices.push_back({e.id, e.cached, rows, logits_rows});
  step.tokens.insert(step.tokens.end(), e.tokens.begin() + e.cached, e.tokens.begin() + end);
  step.observe_hidden_states |= e.wants_hidden_states;
  step.has_prefill |= e.is_prefill();
  forming.logits_left -= logits_rows;
  e.in_step = part::planned;
  file(e);
  forming.parts.push_back(&e);
  return true;
}

/// Running and waiting sequences together in the order of service.
void batch_policy::add_healthy(forming_step& step) {
  const auto &is_running = ready_[running], &is_waiting = ready_[waiting];
  auto next = is_running.begin(), next_waiting = is_waiting.begin();
  while (!step.is_full(limits_) && (next != is_running.end() || next_waiting != is_waiting.end())) {
    if (next_waiting == is_waiting.end() || (next != is_running.end() && next->first < next_waiting->first)) {
      add_slice(*next->second, step);
      ++next;
    } else {
      const auto at = next_waiting->first;
      next_waiting = add_slice(*next_waiting->second, step) ? std::next(next_waiting) : is_waiting.end();
      next = is_running.upper_bound(at); // The one that was next may have been preempted.
    }
  }
}

void batch_policy::add_doubtful(forming_step& step) {
  for (auto& [at, e] : ready_[doubtful])
    if (add_slice(*e, step)) return;
}

std::optional<planned_step> batch_policy::plan() {
  forming_step forming{{}, limits_.logits_rows_max, {}};
  auto& step = forming.step;
  // In turn, so that neither the doubtful nor the others wait for long.
  if (doubted_last_) add_healthy(forming);
  const bool is_turn_of_doubtful = step.slices.empty();
  if (is_turn_of_doubtful) add_doubtful(forming);
  doubted_last_ = is_turn_of_doubtful && !step.slices.empty();
  if (step.slices.empty()) add_healthy(forming);
  for (const uint64_t id : released_) {
    const auto* e = find(id);
    if (!e || e->in_step != part::planned) step.released.push_back(id); // Else it was preempted and is back again.
  }
  for (auto* e : forming.parts) {
    e->in_step = part::none;
    file(*e);
  }
  if (step.slices.empty() && step.released.empty()) return std::nullopt;
  ++steps_;
  return std::move(step);
}

// -- how it ended --------------------------------------------------------------

void batch_policy::succeeded(const planned_step& step) {
  for (const uint64_t id : step.released) released_.erase(id);
  for (const auto& slice : step.slices) {
    auto* e = find(slice.sequence);
    if (!e) continue;
    const uint32_t end = slice.position + slice.rows;
    released_.erase(slice.sequence);
    rows_replayed_ += std::min(end, std::max(e->computed_most, slice.position)) - slice.position;
    e->cached = end;
    e->computed_most = std::max(e->computed_most, end);
    e->last_served = steps_;
    if (end > e->starved_from) e->failures = e->lates = e->starved_from = 0;
    if (end > e->poisoned_from) e->poisonings = e->poisonings_here = 0;
    e->awaits_token = end == e->tokens.size();
    file(*e);
  }
}

void batch_policy::missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses) {
  for (const auto& [id, positions] : misses) {
    auto* e = find(id);
    if (!e) continue;
    e->cached = std::min(e->cached, positions);
    file(*e);
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
    auto* found = find(id);
    if (!found) continue;
    auto& e = *found;
    if (std::exchange(e.poisoned_at, path) != path) e.poisonings_here = 0;
    e.poisoned_from = std::max(e.poisonings > 0 ? e.poisoned_from : 0, e.cached);
    if (++e.poisonings_here >= poisonings_max || ++e.poisonings >= failures_max) given_up.push_back(id);
    if (e.poisonings >= 2) e.cached = 0;
    file(e);
  }
  for (const uint64_t id : given_up) leave(id);
  return given_up;
}

std::vector<uint64_t> batch_policy::failed(const planned_step& step, failure why) {
  std::vector<uint64_t> given_up;
  for (const auto& slice : step.slices) {
    auto* found = find(slice.sequence);
    if (!found) continue;
    auto& e = *found;
    ++e.failures;
    e.lates += why == failure::late;
    if (why == failure::out_of_memory) e.starved_from = std::max(e.starved_from, slice.position);
    e.last_served = steps_; // It had its turn.
    file(e);
    const bool is_enough = e.failures - e.lates >= failures_max || e.failures >= lates_max;
    if (step.slices.size() == 1 && is_enough) given_up.push_back(slice.sequence);
  }
  for (const uint64_t id : given_up) leave(id);
  return given_up;
}

} // namespace troupe
