#pragma once
// The rules of batch_policy.hpp once more, as plainly as they can be written: every plan sorts all sequences and walks through them.
// And a policy that asks both and demands the same answers.
#include "actors/scheduling/batch_policy.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace troupe::testing {

class plain_batch_policy {
public:
  explicit plain_batch_policy(batch_limits limits)
      : limits_(limits), over_served_(limits.slowdown_by_tenants), lower_(limits.slowdown_by_priorities) {}

  void join(const joining_sequence& sequence) {
    const bool is_new = !all_.contains(sequence.id);
    auto& e = all_[sequence.id];
    if (sequence.tokens.size() < e.tokens.size()) return;
    if (is_new) {
      e.arrival = ++arrivals_;
      e.last_served = steps_;
      released_.erase(sequence.id);
      e.account = &tenants_.enter(sequence.tenant, sequence.tenant_weight);
      e.tenant = sequence.tenant;
    }
    const auto newest = uint32_t(sequence.tokens.size()) - 1;
    e.tokens = sequence.tokens;
    e.cached = std::min(sequence.cached, newest);
    e.logits_from = std::min(sequence.logits_from, newest);
    e.hidden = sequence.wants_hidden_states;
    e.priority = sequence.priority;
    e.awaits = false;
    e.asks = 0;
  }
  void append(uint64_t id, uint32_t position, uint32_t token) {
    if (!all_.contains(id) || all_[id].tokens.size() != position) return;
    auto& e = all_[id];
    e.tokens.push_back(token);
    e.logits_from = position;
    e.awaits = false;
    e.asks = 0;
  }
  void leave(uint64_t id) {
    if (!all_.contains(id)) return;
    tenants_.leave(all_[id].tenant);
    all_.erase(id);
    if (claimant_ == id) claimant_ = 0;
    released_.insert(id);
  }
  bool awaits_tokens() const {
    return std::any_of(all_.begin(), all_.end(), [](const auto& one) { return one.second.awaits; });
  }
  std::vector<uint64_t> ask_again() {
    std::vector<uint64_t> silent;
    for (auto& [id, e] : all_) {
      if (!e.awaits) continue;
      e.awaits = false;
      e.cached = std::min(e.cached, uint32_t(e.tokens.size()) - 1);
      if (++e.asks > batch_policy::asks_max) silent.push_back(id);
    }
    for (const auto id : silent) leave(id);
    return silent;
  }

  void measured(const planned_step& step, double ns) { times_.add(step.decode_rows, step.rows() - step.decode_rows, ns); }

  std::optional<planned_step> plan() {
    planned_step step;
    may_begin_ = true;
    priority_ = 0;
    first_.clear();
    decoders_ = other_decoders_ = 0;
    planned_.clear();
    preempted_.clear();
    if (doubted_) add_healthy(step);
    const bool is_turn_of_doubtful = step.slices.empty();
    for (const auto id : in_order())
      if (is_turn_of_doubtful && step.slices.empty() && is_doubtful(id)) add(id, step);
    doubted_ = is_turn_of_doubtful && !step.slices.empty();
    if (step.slices.empty()) add_healthy(step);
    last_ns_ = step.slices.empty() ? 0 : expected(step);
    last_priority_ = step.slices.empty() ? 0 : priority_;
    last_first_ = step.slices.empty() ? std::set<uint64_t>{} : first_;
    for (const auto id : released_)
      if (!planned_.contains(id)) step.released.push_back(id);
    if (step.slices.empty() && step.released.empty()) return std::nullopt;
    ++steps_;
    return step;
  }

  void succeeded(const planned_step& step) {
    for (const auto id : step.released) released_.erase(id);
    for (const auto& s : step.slices) {
      if (!all_.contains(s.sequence)) continue;
      auto& e = all_[s.sequence];
      released_.erase(s.sequence);
      e.cached = s.position + s.rows;
      e.last_served = steps_;
      if (e.cached > e.starved_from) e.failures = e.lates = e.starved_from = 0;
      if (e.cached > e.poisoned_from) e.poisonings = e.poisonings_here = 0;
      e.awaits = e.cached == e.tokens.size();
    }
  }
  void missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses) {
    for (const auto& [id, held] : misses)
      if (all_.contains(id)) all_[id].cached = std::min(all_[id].cached, held);
  }
  std::vector<uint64_t> poisoned(const std::vector<uint64_t>& suspects, const std::string& path) {
    std::vector<uint64_t> given_up;
    for (const auto id : suspects) {
      if (!all_.contains(id)) continue;
      auto& e = all_[id];
      if (e.poisoned_at != path) e.poisonings_here = 0;
      e.poisoned_at = path;
      e.poisoned_from = std::max(e.poisonings > 0 ? e.poisoned_from : 0, e.cached);
      if (++e.poisonings_here >= batch_policy::poisonings_max || ++e.poisonings >= batch_policy::failures_max) given_up.push_back(id);
      if (e.poisonings >= 2) e.cached = 0;
    }
    for (const auto id : given_up) leave(id);
    return given_up;
  }
  std::vector<uint64_t> failed(const planned_step& step, batch_policy::failure why) {
    std::vector<uint64_t> given_up;
    for (const auto& s : step.slices) {
      if (!all_.contains(s.sequence)) continue;
      auto& e = all_[s.sequence];
      ++e.failures;
      e.lates += why == batch_policy::failure::late;
      if (why == batch_policy::failure::out_of_memory) e.starved_from = std::max(e.starved_from, s.position);
      e.last_served = steps_;
      const bool is_enough = e.failures - e.lates >= batch_policy::failures_max || e.failures >= batch_policy::lates_max;
      if (step.slices.size() == 1 && is_enough) given_up.push_back(s.sequence);
    }
    for (const auto id : given_up) leave(id);
    return given_up;
  }

private:
  struct entry {
    std::vector<uint32_t> tokens;
    uint32_t cached = 0, logits_from = 0, failures = 0, lates = 0, starved_from = 0, asks = 0;
    uint32_t poisonings = 0, poisonings_here = 0, poisoned_from = 0;
    std::string poisoned_at;
    bool hidden = false, awaits = false;
    int64_t priority = 0;
    uint64_t arrival = 0, last_served = 0;
    std::string tenant;
    tenant_account* account = nullptr;
    uint32_t rows() const { return uint32_t(tokens.size()) - cached; } // That are left to compute.
  };

  bool is_doubtful(uint64_t id) { return all_[id].failures >= batch_policy::failures_alone; }

  /// All that are ready, in the order of service.
  std::vector<uint64_t> in_order() {
    std::vector<std::tuple<int64_t, int64_t, uint64_t, uint64_t>> keys;
    for (const auto& [id, e] : all_) {
      if (e.awaits || e.cached == e.tokens.size()) continue;
      const int64_t prefill = e.tokens.size() - e.cached > 1 ? 64 : 0;
      keys.emplace_back(int64_t(e.last_served) + prefill - 64 * e.priority, -e.priority, e.arrival, id);
    }
    std::sort(keys.begin(), keys.end());
    std::vector<uint64_t> ids;
    for (const auto& key : keys) ids.push_back(std::get<3>(key));
    return ids;
  }

  /// Those that may be in a step with others, of all priorities or of those between the two, and of one tenant or of all.
  std::vector<uint64_t> healthy(int64_t lowest, int64_t highest, const tenant_account* of = nullptr) {
    std::vector<uint64_t> ids;
    for (const auto id : in_order()) {
      const auto& e = all_[id];
      if (is_doubtful(id) || preempted_.contains(id) || e.priority < lowest || e.priority > highest) continue;
      if (!of || e.account == of) ids.push_back(id);
    }
    return ids;
  }
  double expected(const planned_step& step) const {
    return times_.of(double(step.decode_rows), double(step.tokens.size() - step.decode_rows));
  }
  bool is_full(const planned_step& step) const { return step.tokens.size() >= limits_.step_rows_max; }
  bool is_waiting(uint64_t id) { return all_[id].cached == 0; }

  void add_healthy(planned_step& step) {
    std::set<int64_t> priorities;
    for (const auto id : healthy(INT64_MIN, INT64_MAX)) priorities.insert(all_[id].priority);
    if (priorities.empty()) return;
    auto now = priorities.rbegin();
    const bool has_lower = priorities.size() > 1;
    if (has_lower && lower_.is_due()) add_lower(*now, step, true);
    add_level(*now, step);
    const bool had_first = !step.slices.empty();
    while (step.slices.empty() && std::next(now) != priorities.rend()) add_level(*++now, step);
    add_lower(*now, step, false);
    lower_.end_step(has_lower && had_first);
  }

  void add_claimant(int64_t lowest, int64_t highest, planned_step& step) {
    const auto ids = healthy(lowest, highest);
    if (steps_ - claimed_at_ < batch_policy::claim_after || std::ranges::find(ids, claimant_) == ids.end()) return;
    if (is_waiting(claimant_) && !planned_.contains(claimant_) && !add_next(claimant_, step, nullptr)) may_begin_ = false;
  }

  void add_level(int64_t priority, planned_step& step) {
    std::set<tenant_account*> tenants, in_step;
    double least = 1e300;
    for (const auto id : healthy(priority, priority)) tenants.insert(all_[id].account);
    for (const auto* one : tenants) least = std::min(least, one->served);
    priority_ = priority;
    first_.clear();
    decoders_ = other_decoders_ = 0;
    for (const auto id : healthy(priority, priority))
      if (all_[id].rows() == 1) ++(all_[id].account->served > least + batch_policy::counter_slack ? other_decoders_ : decoders_);
    add_claimant(priority, priority, step);
    std::set<uint64_t> tried;
    bool has_second = false;
    const auto was_served_less = [](const auto* a, const auto* b) {
      return std::pair(a->served, a->number) < std::pair(b->served, b->number);
    };
    while (!is_full(step) && !tenants.empty()) {
      auto* const next = *std::ranges::min_element(tenants, was_served_less);
      const auto served_least = std::ranges::min_element(in_step, was_served_less);
      const bool is_second = !in_step.empty() && next->served > (*served_least)->served + batch_policy::counter_slack;
      if (is_second && !has_second) {
        bool had_turn = priority != last_priority_;
        for (const auto number : first_) had_turn |= last_first_.contains(number);
        over_served_.grow(expected(step), had_turn ? 0 : last_ns_);
      }
      has_second |= is_second;
      if (is_second && !over_served_.allows()) break;
      uint64_t chosen = 0;
      for (const auto id : healthy(priority, priority, next))
        if (chosen == 0 && !tried.contains(id) && (may_begin_ || !is_waiting(id))) chosen = id;
      if (chosen == 0) tenants.erase(next);
      else if (add_next(chosen, step, is_second ? &over_served_ : nullptr)) {
        in_step.insert(next);
        if (!is_second) first_.insert(next->number);
      }
      tried.insert(chosen);
    }
    over_served_.end_step(has_second);
  }

  void add_lower(int64_t than, planned_step& step, bool only_one) {
    if (!only_one) lower_.grow(expected(step), last_priority_ < than ? last_ns_ : 0);
    decoders_ = other_decoders_ = 0;
    if (lower_.allows()) add_claimant(INT64_MIN, than - 1, step);
    std::set<uint64_t> tried;
    while (!is_full(step) && lower_.allows()) {
      uint64_t chosen = 0;
      for (const auto id : healthy(INT64_MIN, than - 1))
        if (chosen == 0 && !tried.contains(id) && (may_begin_ || !is_waiting(id))) chosen = id;
      tried.insert(chosen);
      if (chosen == 0 || (add_next(chosen, step, &lower_) && only_one)) return;
    }
  }

  uint32_t prefill_left(const planned_step& step) const {
    const double row = times_.prefill_row(), target = limits_.step_time_max_ns;
    if (target <= 0 || row <= 0 || decoders_ + other_decoders_ == 0) return UINT32_MAX;
    const double first = times_.of(decoders_, 0);
    double most = (target - times_.of(decoders_ + other_decoders_, 0)) / row;
    if (limits_.slowdown_by_tenants > 1) most = std::max(most, (target / limits_.slowdown_by_tenants - first) / row);
    most = std::clamp(std::max(most, first / row), 1.0, 1e9);
    const auto others = uint64_t(step.tokens.size()) - step.decode_rows;
    return uint64_t(most) < others ? 0 : uint32_t(uint64_t(most) - others);
  }

  bool add_next(uint64_t id, planned_step& step, time_allowance* from) {
    if (planned_.contains(id)) return false;
    const bool decodes = all_[id].rows() == 1, begins = is_waiting(id);
    uint32_t rows_max = from ? from->rows(decodes ? times_.decode_row() : times_.prefill_row()) : UINT32_MAX;
    if (!decodes) rows_max = std::min(rows_max, prefill_left(step));
    const double before = expected(step);
    const bool added = add(id, step, rows_max);
    if (added && from) from->spend(expected(step) - before);
    if (begins && !added) may_begin_ = false;
    return added;
  }

  bool add(uint64_t id, planned_step& step, uint32_t rows_max = UINT32_MAX) {
    auto& e = all_[id];
    uint32_t logits_left = limits_.logits_rows_max;
    for (const auto& s : step.slices) logits_left -= s.logits_rows;
    uint32_t rows = std::min({e.rows(), limits_.prefill_chunk, limits_.step_rows_max - uint32_t(step.tokens.size()), rows_max});
    rows = std::min(rows, (e.logits_from > e.cached ? e.logits_from - e.cached : 0) + logits_left);
    if (rows == 0) return false;
    if (!make_room(id)) {
      const bool is_claimed = all_.contains(claimant_) && is_waiting(claimant_) && !all_[claimant_].awaits && !is_doubtful(claimant_);
      if (e.cached == 0 && !is_doubtful(id) && (!is_claimed || all_[claimant_].priority < e.priority)) {
        claimant_ = id;
        claimed_at_ = steps_;
      }
      return false;
    }
    if (claimant_ == id) claimant_ = 0;
    planned_.insert(id);
    const uint32_t end = e.cached + rows;
    const bool decodes = e.rows() == 1;
    step.slices.push_back({id, e.cached, rows, end > e.logits_from ? end - std::max(e.logits_from, e.cached) : 0});
    step.tokens.insert(step.tokens.end(), e.tokens.begin() + e.cached, e.tokens.begin() + end);
    step.observe_hidden_states |= e.hidden;
    step.has_prefill |= !decodes;
    step.decode_rows += decodes;
    e.account->served += (decodes ? batch_policy::decode_cost : batch_policy::prefill_cost * rows) / e.account->weight;
    return true;
  }

  bool make_room(uint64_t for_id) {
    const auto rank = [this](uint64_t id) { return std::make_pair(-all_[id].priority, all_[id].arrival); };
    uint64_t wanted = all_[for_id].tokens.size();
    std::vector<uint64_t> others;
    for (const auto& [id, e] : all_) {
      if (id == for_id || (e.cached == 0 && !planned_.contains(id))) continue;
      wanted += e.tokens.size();
      if (!planned_.contains(id) && rank(for_id) < rank(id)) others.push_back(id);
    }
    std::sort(others.begin(), others.end(), [&](auto a, auto b) { return rank(b) < rank(a); });
    size_t last = 0;
    for (; last < others.size() && wanted > limits_.cache_positions_max; ++last) wanted -= all_[others[last]].tokens.size();
    if (wanted > limits_.cache_positions_max) return false;
    for (size_t i = 0; i < last; ++i) {
      all_[others[i]].cached = 0;
      preempted_.insert(others[i]);
      released_.insert(others[i]);
    }
    return true;
  }

  batch_limits limits_;
  std::map<uint64_t, entry> all_;
  std::set<uint64_t> released_, planned_, preempted_;
  uint64_t arrivals_ = 0, steps_ = 0;
  bool doubted_ = false;
  tenant_accounts tenants_;
  step_times times_;
  time_allowance over_served_, lower_;
  bool may_begin_ = true;
  double last_ns_ = 0; // Of the step before,
  int64_t last_priority_ = 0, priority_ = 0; // the priority of its first rows,
  std::set<uint64_t> last_first_, first_;    // and the tenants that had them.
  uint32_t decoders_ = 0, other_decoders_ = 0;
  uint64_t claimant_ = 0, claimed_at_ = 0;
};

/// Asks both, and demands the same answers.
class compared_policy {
public:
  explicit compared_policy(batch_limits limits) : real_(limits), plain_(limits) {}

  void join(const joining_sequence& sequence) {
    real_.join(sequence);
    plain_.join(sequence);
  }
  void append(uint64_t id, uint32_t position, uint32_t token) {
    real_.append(id, position, token);
    plain_.append(id, position, token);
  }
  void leave(uint64_t id) {
    real_.leave(id);
    plain_.leave(id);
  }
  std::vector<uint64_t> ask_again() { return same(real_.ask_again(), plain_.ask_again()); }
  std::optional<planned_step> plan() {
    REQUIRE(real_.awaits_tokens() == plain_.awaits_tokens());
    auto step = real_.plan();
    const auto wanted = plain_.plan();
    REQUIRE(step.has_value() == wanted.has_value());
    if (!step) return step;
    REQUIRE(step->slices == wanted->slices);
    REQUIRE(step->tokens == wanted->tokens);
    REQUIRE(step->released == wanted->released);
    REQUIRE(step->observe_hidden_states == wanted->observe_hidden_states);
    REQUIRE(step->has_prefill == wanted->has_prefill);
    REQUIRE(step->decode_rows == wanted->decode_rows);
    return step;
  }
  void measured(const planned_step& step, double ns) {
    real_.measured(step, ns);
    plain_.measured(step, ns);
  }
  void succeeded(const planned_step& step) {
    real_.succeeded(step);
    plain_.succeeded(step);
  }
  void missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses) {
    real_.missed(misses);
    plain_.missed(misses);
  }
  std::vector<uint64_t> poisoned(const std::vector<uint64_t>& suspects, const std::string& path) {
    return same(real_.poisoned(suspects, path), plain_.poisoned(suspects, path));
  }
  std::vector<uint64_t> failed(const planned_step& step, batch_policy::failure why = batch_policy::failure::unknown) {
    return same(real_.failed(step, why), plain_.failed(step, why));
  }
  bool awaits_tokens() const { return real_.awaits_tokens(); }

private:
  static std::vector<uint64_t> same(std::vector<uint64_t> real, const std::vector<uint64_t>& wanted) {
    REQUIRE(real == wanted);
    return real;
  }

  batch_policy real_;
  plain_batch_policy plain_;
};

} // namespace troupe::testing
