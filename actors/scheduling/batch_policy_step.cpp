// How batch_policy forms a step: who comes first, who comes second, and what each gets of rows, time and memory.
#include "actors/scheduling/batch_policy.hpp"

#include "model/error.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <new>
#include <optional>
#include <set>
#include <utility>

namespace troupe {

struct batch_policy::forming_step {
  planned_step step;
  uint32_t logits_left = 0;
  std::vector<entry*> parts; // Those that are planned or preempted.
  bool may_begin = true;     // No waiting sequence has failed to find room or rows.
  uint32_t prefix_waits = 0;
  // Ready decoding rows of the priority that comes first, of tenants that were not served too much and of the others.
  uint32_t decoders = 0, other_decoders = 0;
  int64_t priority = 0; // Of its first rows, and whose they are: for last_step.
  std::set<uint64_t> tenants = {};

  uint64_t other_rows() const { return step.rows() - step.decode_rows; }
  bool is_full(const batch_limits& limits) const { return step.rows() >= limits.step_rows_max; }
};

/// Makes room for all of a sequence's tokens, by preempting sequences that come after it, last first. False: not possible, and
/// none was preempted. Every running sequence counts with all its tokens: one that begins without room for the rest of
/// them would be preempted before it is done, and would have computed in vain.
bool batch_policy::make_room(entry& e, forming_step& step) {
  uint64_t wanted = positions_ + (e.index.positions > 0 ? 0 : e.size());
  std::vector<entry*> last;
  for (auto it = preemptible_.rbegin(); wanted > limits_.cache_positions_max; ++it) {
    if (it == preemptible_.rend() || it->first <= e.own_rank()) return false;
    wanted -= it->second->size();
    last.push_back(it->second);
  }
  for (auto* one : last) {
    ++preemptions_;
    one->cached = 0;
    one->lacks_source = !one->source.empty();
    set_fork(*one, 0);
    one->in_step = part::preempted; // Until the next step it gives its room to this one.
    file(*one);
    released_.insert(one->id);
    step.parts.push_back(one);
  }
  return true;
}

/// How many rows of a sequence the step has room for, but for those of its logits.
uint32_t batch_policy::rows_for(const entry& e, const forming_step& forming) const {
  const uint32_t wanted = uint32_t(e.tokens.size()) - e.cached, sources = e.new_source_rows();
  const uint64_t left = limits_.step_rows_max - std::min<uint64_t>(forming.step.rows(), limits_.step_rows_max);
  const bool is_first = forming.step.rows() == 0;
  if (limits_.whole_sequences) return is_first || wanted <= left ? wanted : 0;
  if (sources > 0 && sources >= left) return is_first ? std::min(wanted, limits_.prefill_chunk) : 0;
  return uint32_t(std::min<uint64_t>({wanted, limits_.prefill_chunk, left - sources}));
}

/// A sequence of which nothing is cached begins in the caches of another one, if that can be. True: it is better to wait for that.
bool batch_policy::begin_in_prefix(entry& e) {
  if (!e.is_plain() || !e.may_reuse || e.wants_hidden_states) return false;
  const uint32_t limit = std::min(uint32_t(e.tokens.size()) - 1, e.logits_from);
  const auto [other, common] = prefixes_.find(e, limit);
  if (!other) return false;
  const uint32_t held = std::min(common, other->cached);
  const auto* runs = find(other->id);
  const bool is_worth_waiting = 2 * uint64_t(common - held) >= e.tokens.size() - held;
  if (runs && is_worth_waiting && runs->own_rank() < e.own_rank()) return true;
  if (held < limits_.prefix_block) return false;
  e.cached = held;
  // A fork that has not been carried out yet is in no cache to begin in.
  set_fork(e, runs && runs->forked_from != 0 ? runs->forked_from : other->id);
  e.reuses_prefix = true;
  prefixes_.touch(e.forked_from);
  return false;
}

double batch_policy::expected_step_ns(const forming_step& forming) const {
  return times_.of(double(forming.step.decode_rows), double(forming.other_rows()));
}

/// How many rows of prefill the step may still get for the sake of those that decode.
uint32_t batch_policy::prefill_rows_left(const forming_step& forming) const {
  const double row = times_.prefill_row(), target = limits_.step_time_max_ns;
  if (target <= 0 || row <= 0 || forming.decoders + forming.other_decoders == 0) return UINT32_MAX;
  const double first = times_.of(forming.decoders, 0), all = times_.of(forming.decoders + forming.other_decoders, 0);
  // Tenants that were served too much add all their decoding rows, or what they may add to the rest.
  double ns = target - all;
  if (limits_.slowdown_by_tenants > 1) ns = std::max(ns, target / limits_.slowdown_by_tenants - first);
  const auto rows = uint64_t(std::clamp(std::max(ns, first) / row, 1.0, 1e9));
  return uint32_t(rows - std::min<uint64_t>(rows, forming.other_rows()));
}

/// At most rows_max, if it can be cut.
batch_policy::addition batch_policy::add_slice(entry& e, forming_step& forming, uint32_t rows_max) {
  auto& step = forming.step;
  const bool begins = e.cached == 0;
  if (begins && begin_in_prefix(e)) return addition::waits_for_prefix;
  uint32_t rows = rows_for(e, forming);
  const uint32_t without_logits = e.logits_from > e.cached ? e.logits_from - e.cached : 0;
  const bool is_first = step.slices.empty();
  if (limits_.whole_sequences) rows = is_first || rows <= without_logits + forming.logits_left ? rows : 0;
  else rows = std::min(rows, without_logits + forming.logits_left);
  if (!limits_.whole_sequences && e.new_source_rows() == 0) rows = std::min(rows, rows_max);
  if (rows == 0 || !make_room(e, forming)) {
    if (begins && e.reuses_prefix) {
      e.cached = 0;
      set_fork(e, 0);
    }
    if (rows == 0) return addition::no_rows;
    if (const auto* first = claimant(); e.index.in == waiting && (!first || first->priority < e.priority)) claim_ = {e.id, steps_};
    return addition::no_room;
  }
  if (claim_.sequence == e.id) claim_ = {};
  const uint32_t end = e.cached + rows;
  const uint32_t logits_rows = end > e.logits_from ? end - std::max(e.logits_from, e.cached) : 0;
  step.slices.push_back({e.id, e.cached, rows, logits_rows, e.forked_from});
  if (e.reuses_prefix) step.reused.push_back({e.id, e.cached, e.computed_most == 0});
  if (!e.segments.empty()) {
    step.segments.resize(step.tokens.size());
    step.segments.insert(step.segments.end(), e.segments.begin() + e.cached, e.segments.begin() + end);
  }
  step.tokens.insert(step.tokens.end(), e.tokens.begin() + e.cached, e.tokens.begin() + end);
  if (!step.segments.empty()) step.segments.resize(step.tokens.size());
  if (e.source.empty() || e.lacks_source) step.features.insert(step.features.end(), e.features.begin(), e.features.end());
  if (e.lacks_source) {
    step.sources.emplace_back(e.id, e.new_source_rows());
    step.source_tokens.insert(step.source_tokens.end(), e.source.begin(), e.source.end());
  }
  step.observe_hidden_states |= e.wants_hidden_states;
  step.has_prefill |= e.is_prefill();
  const bool decodes = !e.is_prefill() && !e.lacks_source;
  step.decode_rows += decodes;
  e.account->served += (decodes ? decode_cost : prefill_cost * (rows + e.new_source_rows())) / e.account->weight;
  forming.logits_left -= std::min(forming.logits_left, logits_rows);
  e.in_step = part::planned;
  e.planned_to = end;
  file(e);
  forming.parts.push_back(&e);
  return addition::added;
}

/// The first waiting sequence for which there was no room; null: there is none.
batch_policy::entry* batch_policy::claimant() {
  auto* e = find(claim_.sequence);
  return e && e->index.in == waiting && e->in_step != part::planned ? e : nullptr;
}

/// It has waited for room for so long that no other of these priorities may begin before it.
void batch_policy::add_claimant(int64_t from, int64_t to, forming_step& forming) {
  auto* e = claimant();
  if (!e || steps_ - claim_.since < claim_after || e->index.at.priority < from || e->index.at.priority > to) return;
  if (!add_next(*e, forming, nullptr)) forming.may_begin = false;
}

/// Running and waiting sequences together in the order of service. Lists may change on the way: those that were looked at stay, others
/// may be preempted.
struct batch_policy::walk {
  const std::map<turn, entry*>*running_ones, *waiting_ones;
  std::optional<turn> last_running = {}, last_waiting = {}; // That were looked at.
};

batch_policy::entry* batch_policy::next_of(walk& through, const forming_step& forming) const {
  const auto next_in = [](const auto& ones, const auto& last) { return last ? ones.upper_bound(*last) : ones.begin(); };
  const auto next = next_in(*through.running_ones, through.last_running);
  const auto next_waiting = next_in(*through.waiting_ones, through.last_waiting);
  const bool has_running = next != through.running_ones->end();
  const bool has_waiting = forming.may_begin && next_waiting != through.waiting_ones->end();
  if (has_running && (!has_waiting || next->first < next_waiting->first)) {
    through.last_running = next->first;
    return next->second;
  }
  if (!has_waiting) return nullptr;
  through.last_waiting = next_waiting->first;
  return next_waiting->second;
}

/// Adds rows of a healthy sequence; `from`: of what time, if it is limited. False: it got none.
bool batch_policy::add_next(entry& e, forming_step& forming, time_allowance* from) {
  if (e.in_step == part::planned) return false;
  const bool begins = e.index.in == waiting, decodes = e.index.decodes;
  const double row_ns = decodes ? times_.decode_row() : times_.prefill_row();
  uint32_t rows_max = from ? from->rows(row_ns) : UINT32_MAX;
  if (!decodes) rows_max = std::min(rows_max, prefill_rows_left(forming));
  const double before = expected_step_ns(forming);
  const auto result = add_slice(e, forming, rows_max);
  if (result == addition::added && from) from->spend(expected_step_ns(forming) - before);
  const bool may_others = result == addition::added || (result == addition::waits_for_prefix && ++forming.prefix_waits < prefix_waits_max);
  if (begins && !may_others) forming.may_begin = false;
  return result == addition::added;
}

/// The sequences of one priority, always of the tenant that was served least.
void batch_policy::add_level(int64_t priority, forming_step& forming) {
  auto& of = levels_.at(priority);
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [number, own] : of)
    if (!own.empty()) least = std::min(least, own.account->served);
  if (least == std::numeric_limits<double>::infinity()) return;
  forming.priority = priority;
  forming.tenants.clear();
  forming.decoders = forming.other_decoders = 0;
  for (const auto& [number, own] : of)
    (own.account->served > least + counter_slack ? forming.other_decoders : forming.decoders) += own.decoders;
  add_claimant(priority, priority, forming);

  struct candidate {
    walk through;
    tenant_account* account;
    bool is_in_step = false;
  };
  std::map<std::pair<double, uint64_t>, candidate> candidates; // By what was served, number of the tenant.
  for (auto& [number, own] : of)
    if (!own.empty()) candidates.emplace(std::pair(own.account->served, number), candidate{{&own.running, &own.waiting}, own.account});
  std::multiset<double> served; // Of the tenants that have rows in this step.
  bool has_second = false;
  while (!forming.is_full(limits_) && !candidates.empty()) {
    auto now = candidates.extract(candidates.begin());
    auto& [through, account, is_in_step] = now.mapped();
    const double before = account->served;
    const bool is_second = !served.empty() && before > *served.begin() + counter_slack;
    if (is_second && !std::exchange(has_second, true)) {
      const auto had_rows = [this](uint64_t tenant) { return last_.tenants.contains(tenant); };
      const bool waited = priority == last_.priority && std::ranges::none_of(forming.tenants, had_rows);
      over_served_.grow(expected_step_ns(forming), waited ? last_.ns : 0);
    }
    if (is_second && !over_served_.allows()) break; // The others were served even more.
    auto* e = next_of(through, forming);
    if (!e) continue;
    if (add_next(*e, forming, is_second ? &over_served_ : nullptr)) {
      if (is_in_step) served.erase(served.find(before));
      served.insert(account->served);
      is_in_step = true;
      if (!is_second) forming.tenants.insert(account->number);
    }
    now.key().first = account->served;
    candidates.insert(std::move(now));
  }
  over_served_.end_step(has_second);
}

/// Sequences of lower priorities, in the order of service. below: a negated priority.
void batch_policy::add_lower(int64_t below, forming_step& forming, bool only_one) {
  if (!only_one) lower_.grow(expected_step_ns(forming), last_.priority > below ? last_.ns : 0);
  forming.decoders = forming.other_decoders = 0;
  if (lower_.allows()) add_claimant(below + 1, std::numeric_limits<int64_t>::max(), forming);
  walk through{&ready_[running], &ready_[waiting]};
  while (!forming.is_full(limits_) && lower_.allows()) {
    auto* e = next_of(through, forming);
    if (!e) return;
    if (e->index.at.priority <= below) continue;
    if (add_next(*e, forming, &lower_) && only_one) return;
  }
}

void batch_policy::add_healthy(forming_step& forming) {
  const auto is_ready = [](const auto& of) { return std::ranges::any_of(of.second, [](const auto& own) { return !own.second.empty(); }); };
  auto it = std::ranges::find_if(levels_, is_ready);
  if (it == levels_.end()) return;
  auto lower = std::find_if(std::next(it), levels_.end(), is_ready);
  const bool has_lower = lower != levels_.end();
  if (has_lower && lower_.is_due()) add_lower(it->first, forming, true);
  add_level(it->first, forming);
  const bool had_first = !forming.step.slices.empty();
  // What comes second is not limited where nothing comes first.
  for (; lower != levels_.end() && forming.step.slices.empty(); ++lower) add_level((it = lower)->first, forming);
  add_lower(it->first, forming, false);
  lower_.end_step(has_lower && had_first);
}

void batch_policy::add_doubtful(forming_step& step) {
  for (auto& [at, e] : ready_[doubtful])
    if (add_slice(*e, step) == addition::added) return;
}

void batch_policy::form(forming_step& step) {
  // In turn, so that neither the doubtful nor the others wait for long.
  if (doubted_last_) add_healthy(step);
  const bool is_turn_of_doubtful = step.step.slices.empty();
  if (is_turn_of_doubtful) add_doubtful(step);
  doubted_last_ = is_turn_of_doubtful && !step.step.slices.empty();
  if (step.step.slices.empty()) add_healthy(step);
}

void batch_policy::drop_empty_lists() {
  for (const auto& [priority, tenant] : emptied_) {
    const auto of = levels_.find(priority);
    if (of == levels_.end()) continue;
    const auto own = of->second.find(tenant);
    if (own != of->second.end() && own->second.empty()) of->second.erase(own);
    if (of->second.empty()) levels_.erase(of);
  }
  emptied_.clear();
}

/// Retained caches are free memory: they never hold back a sequence that runs.
void batch_policy::release_retained() {
  while (prefixes_.retained() > 0 && positions_ + prefixes_.retained_positions() > limits_.cache_positions_max)
    released_.insert(prefixes_.drop_oldest());
}

/// Whether a sequence that is not in this step is to begin in the caches of this one.
bool batch_policy::is_fork_pending(uint64_t id) const {
  for (auto it = forks_.lower_bound({id, 0}); it != forks_.end() && it->first == id; ++it)
    if (entries_.at(it->second).in_step != part::planned) return true;
  return false;
}

std::optional<planned_step> batch_policy::plan() {
  drop_empty_lists();
  forming_step forming{.step = {}, .logits_left = limits_.logits_rows_max, .parts = {}};
  auto& step = forming.step;
  try {
    form(forming);
  } catch (const std::bad_alloc&) {
    if (step.slices.empty()) throw;
    step.lacks_memory = true;
  }
  last_ = {};
  if (!step.slices.empty()) last_ = {expected_step_ns(forming), forming.priority, std::move(forming.tenants)};
  release_retained();
  for (const uint64_t id : released_) {
    const auto* e = find(id);
    const bool is_back = e && e->in_step == part::planned; // It was preempted, and runs again.
    if (!is_back && !is_fork_pending(id)) step.released.push_back(id);
  }
  for (auto* e : forming.parts) {
    e->in_step = part::none;
    e->planned_to = 0;
    file(*e);
  }
  if (step.slices.empty() && step.released.empty()) return std::nullopt;
  ++steps_;
  return std::move(step);
}

} // namespace troupe
