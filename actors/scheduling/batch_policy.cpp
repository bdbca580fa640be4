#include "actors/scheduling/batch_policy.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <utility>

namespace troupe {

namespace {

constexpr int64_t steps_per_priority = 64, steps_for_prefill = 64;

} // namespace

// -- orders that are kept ----------------------------------------------------

void batch_policy::file(entry& e) {
  entry::indexed next;
  const bool is_running = e.cached > 0;
  if (e.in_step == part::planned) { // Nothing changes in the lists that are walked through.
    next.in = e.index.in;
    next.at = e.index.at;
    next.decodes = e.index.decodes;
  } else if (e.is_ready() && e.in_step != part::preempted) {
    next.in = e.is_doubtful() ? doubtful : is_running ? running : waiting;
    next.at = {int64_t(e.last_served) + (e.is_prefill() ? steps_for_prefill : 0) - e.priority * steps_per_priority,
               -int64_t(e.priority), e.arrival};
    next.decodes = !e.is_prefill();
  }
  const auto own_group = groups_.find(e.group);
  const bool waits_for_members = e.awaits_token && own_group != groups_.end() && !own_group->second.owes;
  if (is_running && e.in_step != part::planned) next.preemptible = waits_for_members ? first_to_go(e) : e.own_rank();
  if (is_running || e.in_step == part::planned) next.positions = e.size();
  next.awaited = e.awaits_token && !waits_for_members;
  if (e.is_prefill()) next.prefill_rows = e.tokens.size() - e.cached + e.new_source_rows();

  const auto& now = e.index;
  if (now.in != next.in || now.at != next.at || now.decodes != next.decodes) {
    take_out_of_lists(e);
    put_into_lists(e, next);
  }
  if (now.preemptible != next.preemptible) {
    if (now.preemptible) preemptible_.erase(*now.preemptible);
    if (next.preemptible) preemptible_.emplace(*next.preemptible, &e);
  }
  prefill_rows_ += next.prefill_rows - now.prefill_rows;
  positions_ += next.positions - now.positions;
  running_ += size_t(next.positions > 0) - size_t(now.positions > 0);
  prefixes_.hold(e, !limits_.whole_sequences && e.is_plain() ? std::max(e.cached, e.planned_to) : 0);
  if (now.awaited && !next.awaited) awaited_.erase(e.id);
  if (!now.awaited && next.awaited) awaited_.insert(e.id);
  e.index = next;
}

void batch_policy::put_into_lists(entry& e, const entry::indexed& next) {
  if (next.in == lists) return;
  ready_[next.in].emplace(next.at, &e);
  if (next.in == doubtful) return;
  auto& own = levels_[next.at.priority][e.account->number];
  own.account = e.account;
  (next.in == running ? own.running : own.waiting).emplace(next.at, &e);
  own.decoders += next.decodes;
}

void batch_policy::take_out_of_lists(entry& e) {
  const auto& now = e.index;
  if (now.in == lists) return;
  ready_[now.in].erase(now.at);
  if (now.in == doubtful) return;
  auto& own = levels_.at(now.at.priority).at(e.account->number);
  (now.in == running ? own.running : own.waiting).erase(now.at);
  own.decoders -= now.decodes;
  if (own.empty()) emptied_.emplace_back(now.at.priority, e.account->number); // They may just be walked through.
}

void batch_policy::unfile(entry& e) {
  take_out_of_lists(e);
  if (e.index.preemptible) preemptible_.erase(*e.index.preemptible);
  if (e.index.awaited) awaited_.erase(e.id);
  prefill_rows_ -= e.index.prefill_rows;
  positions_ -= e.index.positions;
  running_ -= e.index.positions > 0;
  e.index = {};
  prefixes_.hold(e, 0);
}

/// To be called when a member has got its logits or its next token, has come or left.
void batch_policy::settle_group(uint64_t id) {
  const auto found = groups_.find(id);
  if (found == groups_.end()) return;
  auto& [members, owes] = found->second;
  const bool owed = owes;
  const auto awaits = [&](uint64_t member) { return entries_.at(member).awaits_token; };
  if (std::ranges::all_of(members, awaits)) owes = true;
  else if (std::ranges::none_of(members, awaits)) owes = false;
  if (owes == owed) return; // Nothing changes for the others.
  for (const uint64_t member : members) file(entries_.at(member));
}

void batch_policy::set_fork(entry& e, uint64_t from) {
  if (e.forked_from != 0) forks_.erase({e.forked_from, e.id});
  e.forked_from = from;
  e.reuses_prefix = false;
  if (from != 0) forks_.insert({from, e.id});
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
    prefixes_.drop(sequence.id);
    released_.erase(sequence.id);
  }
  if (is_new && sequence.group != 0) groups_[sequence.group].members.insert(sequence.id);
  e.group = sequence.group;
  if (e.reuses_prefix) set_fork(e, 0);
  prefixes_.hold(e, 0); // Whatever the tokens were.
  e.blocks.clear();
  if (is_new || e.tenant != sequence.tenant) {
    if (!is_new) {
      take_out_of_lists(e);
      e.index.in = lists;
      tenants_.leave(e.tenant);
    }
    e.account = &tenants_.enter(sequence.tenant, sequence.tenant_weight);
  }
  e.tenant = std::move(sequence.tenant);
  e.tokens = std::move(sequence.tokens);
  e.segments = std::move(sequence.segments);
  if (!e.segments.empty()) e.segments.resize(e.tokens.size());
  e.source = std::move(sequence.source);
  e.features = std::move(sequence.features);
  if (is_new) e.lacks_source = !e.source.empty() && sequence.cached == 0;
  if (is_new && sequence.cached > 0) set_fork(e, sequence.forked_from);
  e.cached = limits_.whole_sequences ? 0 : std::min<uint32_t>(sequence.cached, uint32_t(e.tokens.size()) - 1);
  e.computed_most = std::max(e.computed_most, e.cached);
  e.logits_from = std::min<uint32_t>(sequence.logits_from, uint32_t(e.tokens.size()) - 1);
  e.wants_hidden_states = sequence.wants_hidden_states;
  e.priority = sequence.priority;
  e.awaits_token = false;
  e.asks = 0;
  file(e);
  settle_group(e.group);
}

void batch_policy::append(uint64_t sequence, uint32_t position, uint32_t token) {
  auto* e = find(sequence);
  if (!e || position != e->tokens.size()) return;
  e->tokens.push_back(token);
  if (!e->segments.empty()) e->segments.push_back(0);
  e->logits_from = position; // What was asked for earlier has been delivered.
  e->awaits_token = false;
  e->asks = 0;
  file(*e);
  settle_group(e->group);
}

void batch_policy::leave(uint64_t id) {
  auto* e = find(id);
  if (!e) return;
  // What is not in its caches yet, because the step with the fork has not ended well, may never be.
  const bool is_of_use = limits_.prefix_block > 0 && e->cached >= limits_.prefix_block && e->is_plain() && e->forked_from == 0;
  if (!is_of_use) return remove(id);
  unfile(*e);
  cached_log log = std::move(*e);
  e->tenant = log.tenant;
  remove(id);
  released_.erase(id);
  if (prefixes_.retained() == prefix_index::retained_max) released_.insert(prefixes_.drop_oldest());
  prefixes_.retain(std::move(log));
}

/// Its caches are released.
void batch_policy::remove(uint64_t id) {
  const auto it = entries_.find(id);
  if (it == entries_.end()) return;
  const auto tenant = it->second.tenant;
  unfile(it->second);
  set_fork(it->second, 0);
  if (claim_.sequence == id) claim_ = {};
  tenants_.leave(tenant);
  const uint64_t own_group = it->second.group;
  entries_.erase(it);
  if (!limits_.whole_sequences) released_.insert(id);
  const auto members = groups_.find(own_group);
  if (members == groups_.end()) return;
  members->second.members.erase(id);
  if (members->second.members.empty()) groups_.erase(members);
  else settle_group(own_group);
}

double batch_policy::expected_ns(const joining_sequence& sequence) const {
  cached_log log{.id = sequence.id, .tenant = sequence.tenant, .tokens = sequence.tokens, .blocks = {}};
  const uint32_t last = uint32_t(sequence.tokens.size()) - 1;
  const bool reuses = !limits_.whole_sequences && sequence.group == 0 && sequence.source.empty() && sequence.segments.empty();
  const uint64_t cached = std::max(sequence.cached, reuses ? prefixes_.find(log, std::min(last, sequence.logits_from)).tokens : 0);
  const double rows = double(prefill_rows_ + sequence.tokens.size() - std::min<uint64_t>(cached, last) + sequence.source.size());
  const double others = double(entries_.size());
  const double expected = times_.of(others, rows) + expected_tokens * times_.of(others + 1, 0);
  return expected > 0 ? expected : rows + expected_tokens * (others + 1);
}

std::optional<joining_sequence> batch_policy::take_movable(const planned_step* under_way) {
  const auto has_begun = [&](uint64_t id) {
    return under_way != nullptr && std::ranges::find(under_way->slices, id, &planned_slice::sequence) != under_way->slices.end();
  };
  constexpr int looked_at_max = 16;
  int looked_at = 0;
  for (const auto& [place, e] : ready_[waiting]) {
    if (++looked_at > looked_at_max) break;
    if (e->group != 0 || e->forked_from != 0 || e->failures > 0 || e->poisonings > 0) continue;
    if (has_begun(e->id)) continue;
    joining_sequence moved{.id = e->id, .tokens = e->tokens, .segments = e->segments, .source = e->source, .features = e->features,
                           .logits_from = e->logits_from, .wants_hidden_states = e->wants_hidden_states, .priority = e->priority,
                           .tenant = e->tenant, .tenant_weight = e->account->weight};
    remove(moved.id);
    return moved;
  }
  return std::nullopt;
}

std::vector<uint64_t> batch_policy::ask_again() {
  std::vector<uint64_t> silent;
  for (const uint64_t id : std::set(awaited_)) {
    auto& e = entries_.at(id);
    if (++e.asks > asks_max) silent.push_back(id);
    e.awaits_token = false;
    e.cached = std::min<uint32_t>(e.cached, uint32_t(e.tokens.size()) - 1);
    file(e);
    settle_group(e.group);
  }
  for (const uint64_t id : silent) remove(id);
  return silent;
}

// -- how it ended --------------------------------------------------------------

void batch_policy::measured(const planned_step& step, double ns) { times_.add(step.decode_rows, step.rows() - step.decode_rows, ns); }

void batch_policy::succeeded(const planned_step& step) {
  for (const uint64_t id : step.released) released_.erase(id);
  for (const auto& slice : step.slices) {
    auto* e = find(slice.sequence);
    if (!e) continue;
    const uint32_t end = slice.position + slice.rows;
    released_.erase(slice.sequence);
    if (e->reuses_prefix) rows_reused_ += slice.position;
    rows_replayed_ += std::min(end, std::max(e->computed_most, slice.position)) - slice.position;
    e->cached = limits_.whole_sequences ? 0 : end; // Where rows see later rows, heads keep nothing.
    e->lacks_source = false;
    set_fork(*e, 0);
    e->computed_most = std::max(e->computed_most, end);
    e->last_served = steps_;
    if (end > e->starved_from) e->failures = e->lates = e->starved_from = 0;
    if (end > e->poisoned_from) e->poisonings = e->poisonings_here = 0;
    e->awaits_token = end == e->tokens.size();
    file(*e);
    settle_group(e->group);
  }
}

/// Where it was to begin there is not what it takes: nothing is reused once more, neither by it nor of the log that it was forked from.
void batch_policy::distrust_prefix(entry& e) {
  if (!e.reuses_prefix) return;
  e.may_reuse = false;
  if (prefixes_.drop(e.forked_from)) released_.insert(e.forked_from);
}

void batch_policy::missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses) {
  for (const auto& [id, positions] : misses) {
    auto* e = find(id);
    if (!e) continue;
    e->cached = std::min(e->cached, positions);
    distrust_prefix(*e);
    set_fork(*e, 0);
    file(*e);
  }
}

void batch_policy::missed_sources(const std::vector<uint64_t>& sequences) {
  for (const uint64_t id : sequences) {
    auto* e = find(id);
    if (!e) continue;
    e->lacks_source = !e->source.empty();
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
    distrust_prefix(e);
    e.poisoned_from = std::max(e.poisonings > 0 ? e.poisoned_from : 0, e.cached);
    if (++e.poisonings_here >= poisonings_max || ++e.poisonings >= failures_max) given_up.push_back(id);
    if (e.poisonings >= 2) {
      e.cached = 0;
      e.lacks_source = !e.source.empty();
      set_fork(e, 0);
    }
    file(e);
  }
  for (const uint64_t id : given_up) remove(id);
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
  for (const uint64_t id : given_up) remove(id);
  return given_up;
}

} // namespace troupe
