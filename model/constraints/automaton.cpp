#include "model/constraints/automaton.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <map>
#include <utility>

namespace troupe {
namespace {

[[noreturn]] void fail_too_large() {
  throw input_error("the constraint is too large: it needs more than " + std::to_string(automaton::states_max) + " states");
}

} // namespace

/// Puts the automaton together state by state, then checks and packs it.
class automaton_builder {
public:
  automaton_builder(const constraint_grammar& grammar, automaton& to, compile_budget& budget)
    : grammar_(grammar), to_(to), budget_(budget) {}

  void build() {
    for (const auto& rule : grammar_.rules) {
      if (rule.body->size > automaton::states_max) fail_too_large();
      to_.starts_.push_back(add_state());
      ends_.push_back(add_state());
    }
    is_open_.assign(grammar_.rules.size(), false);
    for (uint32_t rule = 0; rule < grammar_.rules.size(); ++rule) {
      is_open_[rule] = true;
      emit(*grammar_.rules[rule].body, to_.starts_[rule], ends_[rule]);
      is_open_[rule] = false;
    }
    drop_dead_ends();
    check_skips();
    check_left_recursion();
    make_classes();
    pack();
  }

private:
  struct raw_state {
    std::vector<automaton::byte_edge> edges; // Of bytes: classes come last.
    std::vector<automaton::call> calls;
    std::vector<uint32_t> skips;
  };
  static constexpr uint64_t state_steps = 4, edge_steps = 2; // A state keeps 100 bytes while it is built, an edge half of that.

  uint32_t add_state() {
    if (states_.size() >= automaton::states_max) fail_too_large();
    budget_.charge(state_steps);
    states_.emplace_back();
    return uint32_t(states_.size()) - 1;
  }

  void add_edge(uint32_t from, uint8_t first, uint8_t last, uint32_t to) {
    budget_.charge(edge_steps);
    states_[from].edges.push_back({first, last, to});
  }

  void add_skip(uint32_t from, uint32_t to) {
    budget_.charge(edge_steps);
    states_[from].skips.push_back(to);
  }

  void emit_text(const std::string& text, uint32_t from, uint32_t to) {
    if (text.empty()) return add_skip(from, to);
    for (size_t i = 0; i < text.size(); ++i) {
      const uint32_t next = i + 1 == text.size() ? to : add_state();
      const auto byte = uint8_t(text[i]);
      add_edge(from, byte, byte, next);
      from = next;
    }
  }

  /// Characters with the same bytes at the end share the states that read them.
  void emit_characters(const code_set& set, uint32_t from, uint32_t to) {
    std::map<std::pair<byte_range, uint32_t>, uint32_t> before; // The state that reads this range to get there.
    for (const auto& sequence : utf8_sequences(set)) {
      uint32_t target = to;
      for (uint8_t i = sequence.length; --i > 0;) {
        const auto [place, is_new] = before.try_emplace({sequence.ranges[i], target}, 0);
        if (is_new) {
          place->second = add_state();
          add_edge(place->second, sequence.ranges[i].first, sequence.ranges[i].last, target);
        }
        target = place->second;
      }
      add_edge(from, sequence.ranges[0].first, sequence.ranges[0].last, target);
    }
  }

  void emit_repeat(const expression& part, uint32_t least, uint32_t most, uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < least; ++i) {
      const uint32_t next = add_state();
      emit(part, from, next);
      from = next;
    }
    if (most == expression::unbounded) {
      const uint32_t loop = add_state();
      add_skip(from, loop);
      emit(part, loop, loop);
      return add_skip(loop, to);
    }
    for (uint32_t i = least; i < most; ++i) {
      add_skip(from, to);
      const uint32_t next = add_state();
      emit(part, from, next);
      from = next;
    }
    add_skip(from, to);
  }

  void emit_rule(uint32_t rule, uint32_t from, uint32_t to) {
    budget_.charge(edge_steps);
    if (!grammar_.rules[rule].is_inline || is_open_[rule]) return states_[from].calls.push_back({rule, to});
    is_open_[rule] = true;
    emit(*grammar_.rules[rule].body, from, to);
    is_open_[rule] = false;
  }

  void emit_graph(const expression_graph& graph, uint32_t from, uint32_t to) {
    std::vector<uint32_t> nodes(graph.ends.size());
    for (auto& node : nodes) node = add_state();
    add_skip(from, nodes[0]);
    for (const auto& edge : graph.edges) emit(*edge.label, nodes[edge.from], nodes[edge.to]);
    for (size_t i = 0; i < nodes.size(); ++i)
      if (graph.ends[i]) add_skip(nodes[i], to);
  }

  /// Adds what leads from one state to the other.
  void emit(const expression& e, uint32_t from, uint32_t to) {
    switch (e.what) {
    case expression::kind::text: return emit_text(e.text, from, to);
    case expression::kind::characters: return emit_characters(e.characters, from, to);
    case expression::kind::repeat: return emit_repeat(*e.parts[0], e.least, e.most, from, to);
    case expression::kind::rule: return emit_rule(e.rule, from, to);
    case expression::kind::graph: return emit_graph(*e.graph, from, to);
    case expression::kind::choice:
      for (const auto& part : e.parts) emit(*part, from, to);
      return;
    case expression::kind::sequence:
      for (size_t i = 0; i + 1 < e.parts.size(); ++i) {
        const uint32_t next = add_state();
        emit(*e.parts[i], from, next);
        from = next;
      }
      if (e.parts.empty()) add_skip(from, to);
      else emit(*e.parts.back(), from, to);
      return;
    }
  }

  /// The states from which the end of their rule can be reached; over_bytes: by reading any bytes, else by reading none.
  std::vector<bool> reaching_end(bool over_bytes) const {
    struct origin {
      uint32_t state = 0;
      uint32_t rule = 0; // Of a call; else none.
    };
    constexpr uint32_t none = ~uint32_t(0);
    std::vector<std::vector<origin>> origins(states_.size());
    std::vector<std::vector<std::pair<uint32_t, uint32_t>>> callers(grammar_.rules.size()); // State, target.
    std::vector<uint32_t> rule_of_start(states_.size(), none);
    for (uint32_t rule = 0; rule < grammar_.rules.size(); ++rule) rule_of_start[to_.starts_[rule]] = rule;
    for (uint32_t state = 0; state < states_.size(); ++state) {
      if (over_bytes)
        for (const auto& edge : states_[state].edges) origins[edge.target].push_back({state, none});
      for (const uint32_t next : states_[state].skips) origins[next].push_back({state, none});
      for (const auto& call : states_[state].calls) {
        origins[call.target].push_back({state, call.rule});
        callers[call.rule].emplace_back(state, call.target);
      }
    }
    std::vector<bool> reaches(states_.size(), false);
    std::vector<uint32_t> open;
    const auto add = [&](uint32_t state) {
      if (reaches[state]) return;
      reaches[state] = true;
      open.push_back(state);
    };
    for (const uint32_t end : ends_) add(end);
    while (!open.empty()) {
      const uint32_t at = open.back();
      open.pop_back();
      for (const auto& from : origins[at])
        if (from.rule == none || reaches[to_.starts_[from.rule]]) add(from.state);
      if (rule_of_start[at] == none) continue;
      for (const auto& [state, target] : callers[rule_of_start[at]])
        if (reaches[target]) add(state);
    }
    return reaches;
  }

  /// Takes away all edges behind which no end can be reached.
  void drop_dead_ends() {
    const auto lives = reaching_end(true);
    if (!lives[to_.starts_[0]]) throw unsatisfiable("no text satisfies the constraint");
    for (auto& state : states_) {
      std::erase_if(state.edges, [&](const automaton::byte_edge& edge) { return !lives[edge.target]; });
      std::erase_if(state.skips, [&](uint32_t next) { return !lives[next]; });
      std::erase_if(state.calls, [&](const automaton::call& call) { return !lives[call.target] || !lives[to_.starts_[call.rule]]; });
    }
  }

  void check_skips() {
    std::vector<uint32_t> seen_from(states_.size(), uint32_t(states_.size())), reached;
    for (uint32_t state = 0; state < states_.size(); ++state) {
      if (states_[state].skips.empty()) continue;
      reached.assign(1, state);
      for (size_t i = 0; i < reached.size(); ++i) {
        budget_.charge(1 + states_[reached[i]].skips.size() / 4);
        for (const uint32_t next : states_[reached[i]].skips)
          if (std::exchange(seen_from[next], state) != state) reached.push_back(next);
      }
      if (reached.size() > automaton::skipped_max) throw input_error("the constraint is too large: too many parts in a row may be left out");
    }
  }

  /// By rule: those that it calls before it has read anything.
  std::vector<std::vector<uint32_t>> first_calls() const {
    const auto is_empty = reaching_end(false);
    std::vector<std::vector<uint32_t>> called(grammar_.rules.size());
    std::vector<bool> seen(states_.size(), false); // No state belongs to two rules.
    for (uint32_t rule = 0; rule < called.size(); ++rule) {
      std::vector<uint32_t> open{to_.starts_[rule]};
      seen[open.front()] = true;
      const auto visit = [&](uint32_t state) {
        if (!seen[state]) open.push_back(state);
        seen[state] = true;
      };
      while (!open.empty()) {
        const uint32_t at = open.back();
        open.pop_back();
        for (const uint32_t next : states_[at].skips) visit(next);
        for (const auto& call : states_[at].calls) {
          called[rule].push_back(call.rule);
          if (is_empty[to_.starts_[call.rule]]) visit(call.target);
        }
      }
    }
    return called;
  }

  void check_left_recursion() const {
    const auto called = first_calls();
    enum : uint8_t { unseen, on_path, done };
    std::vector<uint8_t> colours(called.size(), unseen);
    for (uint32_t root = 0; root < called.size(); ++root) {
      std::vector<std::pair<uint32_t, size_t>> path; // Rule, its next call.
      if (colours[root] == unseen) path.emplace_back(root, 0);
      while (!path.empty()) {
        auto& [rule, next] = path.back();
        colours[rule] = on_path;
        if (next == called[rule].size()) {
          colours[rule] = done;
          path.pop_back();
          continue;
        }
        const uint32_t to = called[rule][next++];
        if (colours[to] == on_path)
          throw input_error("the rule " + grammar_.rules[to].name
                            + " is left-recursive: it comes back to itself before it has read anything");
        if (colours[to] == unseen) path.emplace_back(to, 0);
      }
    }
  }

  void make_classes() {
    std::array<bool, 257> begins{};
    for (const auto& state : states_)
      for (const auto& edge : state.edges) begins[edge.first] = begins[edge.last + 1u] = true;
    uint32_t at = 0;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      if (byte > 0 && begins[byte]) ++at;
      to_.class_of_[byte] = uint8_t(at);
    }
    to_.classes_ = at + 1;
  }

  /// Ends, and from there back every state of which all skips lead to such ones.
  void find_only_ends() {
    std::vector<std::vector<uint32_t>> before(states_.size());
    for (uint32_t state = 0; state < states_.size(); ++state)
      for (const uint32_t next : states_[state].skips) before[next].push_back(state);
    std::vector<size_t> left(states_.size());
    for (uint32_t state = 0; state < states_.size(); ++state) left[state] = states_[state].skips.size();
    std::vector<uint32_t> open;
    for (const uint32_t end : ends_)
      if (left[end] == 0) open.push_back(end);
    to_.only_ends_.assign(states_.size(), false);
    while (!open.empty()) {
      const uint32_t at = open.back();
      open.pop_back();
      if (!states_[at].edges.empty() || !states_[at].calls.empty()) continue;
      to_.only_ends_[at] = true;
      for (const uint32_t state : before[at])
        if (--left[state] == 0) open.push_back(state);
    }
  }

  void pack() {
    to_.is_end_.assign(states_.size(), false);
    for (const uint32_t end : ends_) to_.is_end_[end] = true;
    find_only_ends();
    for (uint32_t state = 0; state < states_.size(); ++state) {
      auto& one = states_[state];
      to_.edges_from_.push_back(uint32_t(to_.edges_.size()));
      to_.calls_from_.push_back(uint32_t(to_.calls_.size()));
      to_.skips_from_.push_back(uint32_t(to_.skips_.size()));
      for (const auto& edge : one.edges) to_.edges_.push_back({to_.class_of_[edge.first], to_.class_of_[edge.last], edge.target});
      to_.calls_.insert(to_.calls_.end(), one.calls.begin(), one.calls.end());
      to_.skips_.insert(to_.skips_.end(), one.skips.begin(), one.skips.end());
    }
    to_.edges_from_.push_back(uint32_t(to_.edges_.size()));
    to_.calls_from_.push_back(uint32_t(to_.calls_.size()));
    to_.skips_from_.push_back(uint32_t(to_.skips_.size()));
  }

  const constraint_grammar& grammar_;
  automaton& to_;
  compile_budget& budget_;
  std::vector<raw_state> states_;
  std::vector<uint32_t> ends_; // By rule.
  std::vector<bool> is_open_;  // Rules that are being put in place.
};

automaton::automaton(const constraint_grammar& grammar, compile_budget& budget) { automaton_builder(grammar, *this, budget).build(); }

} // namespace troupe
