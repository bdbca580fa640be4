#include "model/constraints/character_graph.hpp"
#include "model/constraints/json_texts.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <map>
#include <string>
#include <utility>

namespace troupe {
namespace {

/// An edge holds a copy of its set.
uint64_t edge_steps(const code_set& characters) { return 2 + characters.size() / 4; }

/// Nodes that are connected by characters, or by nothing.
class graph_builder {
public:
  explicit graph_builder(compile_budget& budget) : budget_(budget) {}

  character_graph build(const expression& pattern) {
    const uint32_t first = add_node(), last = add_node();
    emit(pattern, first, last);
    character_graph graph;
    graph.ends.assign(nodes_.size(), false);
    for (uint32_t node = 0; node < nodes_.size(); ++node) {
      std::vector<uint32_t> reached{node};
      nodes_[node].seen_from = node;
      for (size_t i = 0; i < reached.size(); ++i) {
        const auto& at = nodes_[reached[i]];
        budget_.charge(1 + at.skips.size());
        for (const auto& [characters, to] : at.edges) {
          budget_.charge(edge_steps(*characters));
          graph.edges.push_back({node, to, *characters});
        }
        for (const uint32_t next : at.skips)
          if (std::exchange(nodes_[next].seen_from, node) != node) reached.push_back(next);
        if (reached[i] == last) graph.ends[node] = true;
      }
    }
    return graph;
  }

private:
  static constexpr uint32_t none = ~uint32_t(0);
  struct node_record {
    std::vector<std::pair<const code_set*, uint32_t>> edges;
    std::vector<uint32_t> skips;
    uint32_t seen_from = none;
  };

  uint32_t add_node() {
    budget_.charge(3);
    nodes_.emplace_back();
    return uint32_t(nodes_.size()) - 1;
  }

  void emit(const expression& e, uint32_t from, uint32_t to) {
    switch (e.what) {
    case expression::kind::characters: return nodes_[from].edges.emplace_back(&e.characters, to), void();
    case expression::kind::choice:
      budget_.charge(e.parts.size());
      for (const auto& part : e.parts) emit(*part, from, to);
      return;
    case expression::kind::sequence:
      for (const auto& part : e.parts) {
        const uint32_t next = add_node();
        emit(*part, from, next);
        from = next;
      }
      return nodes_[from].skips.push_back(to);
    case expression::kind::repeat: return emit_repeat(e, from, to);
    default: TROUPE_ASSERT(!"a pattern has characters, sequences, choices and repetitions only");
    }
  }

  void emit_repeat(const expression& e, uint32_t from, uint32_t to) {
    const bool is_open = e.most == expression::unbounded;
    for (uint32_t i = 0; i < (is_open ? e.least : e.most); ++i) {
      if (i >= e.least) nodes_[from].skips.push_back(to);
      const uint32_t next = add_node();
      emit(*e.parts[0], from, next);
      from = next;
    }
    if (is_open) {
      const uint32_t loop = add_node();
      nodes_[from].skips.push_back(loop);
      emit(*e.parts[0], loop, loop);
      from = loop;
    }
    nodes_[from].skips.push_back(to);
  }

  compile_budget& budget_;
  std::vector<node_record> nodes_;
};

} // namespace

character_graph graph_of_characters(const expression& pattern, compile_budget& budget) { return graph_builder(budget).build(pattern); }

character_graph with_length(const character_graph& graph, uint32_t least, uint32_t most, compile_budget& budget) {
  if (least == 0 && most == expression::unbounded) return graph;
  const uint64_t counts = uint64_t(most == expression::unbounded ? least : most) + 1;
  std::vector<std::vector<const character_graph::edge*>> leaving(graph.ends.size());
  for (const auto& edge : graph.edges) leaving[edge.from].push_back(&edge);
  character_graph counted;
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> numbers; // Of a node and a count.
  std::vector<std::pair<uint32_t, uint32_t>> open;
  const auto number = [&](uint32_t node, uint32_t count) {
    const auto [place, is_new] = numbers.try_emplace({node, count}, uint32_t(counted.ends.size()));
    if (is_new) {
      counted.ends.push_back(graph.ends[node] && count >= least);
      open.emplace_back(node, count);
    }
    return place->second;
  };
  number(0, 0);
  for (size_t i = 0; i < open.size(); ++i) {
    const auto [node, count] = open[i];
    if (most != expression::unbounded && count == most) continue;
    const auto next = uint32_t(std::min<uint64_t>(uint64_t(count) + 1, counts - 1));
    for (const auto* edge : leaving[node]) {
      budget.charge(edge_steps(edge->characters) + 2);
      const uint32_t to = number(edge->to, next);
      counted.edges.push_back({uint32_t(i), to, edge->characters});
    }
  }
  return counted;
}

expression_ptr json_character(const code_set& characters) {
  std::vector<expression_ptr> parts;
  if (auto plain = difference(characters, json_escaped_characters()); !plain.empty()) parts.push_back(one_of(std::move(plain)));
  for (const auto& range : intersection(characters, json_escaped_characters()))
    for (uint32_t code = range.first; code <= range.last; ++code) parts.push_back(text_of(json_quoted_character(char(code))));
  return choice_of(std::move(parts));
}

expression_ptr json_string_content(const character_graph& graph, compile_budget& budget) {
  expression_graph spelled;
  spelled.ends = graph.ends;
  std::map<std::vector<std::pair<uint32_t, uint32_t>>, expression_ptr> labels;
  for (const auto& edge : graph.edges) {
    budget.charge(edge_steps(edge.characters) + 2);
    std::vector<std::pair<uint32_t, uint32_t>> key;
    for (const auto& range : edge.characters) key.emplace_back(range.first, range.last);
    auto& label = labels[key];
    if (!label) label = json_character(edge.characters);
    spelled.edges.push_back({edge.from, edge.to, label});
  }
  return graph_of(std::move(spelled));
}

expression_ptr json_string_content_except(const std::vector<std::string>& texts, compile_budget& budget) {
  // Nodes of a trie, and one, 1, where the text differs from all.
  character_graph graph;
  graph.ends = {true, true};
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> children;
  for (const auto& text : texts) {
    budget.charge(4 * text.size() + 1);
    uint32_t at = 0;
    for (size_t i = 0; i < text.size();) {
      const size_t bytes = utf8_next(text, i).bytes;
      const auto [place, is_new] = children.try_emplace({at, utf8_code_point(std::string_view(text).substr(i, bytes))},
                                                        uint32_t(graph.ends.size()));
      if (is_new) graph.ends.push_back(true);
      at = place->second;
      i += bytes;
    }
    graph.ends[at] = false;
  }
  std::vector<std::vector<code_range>> known(graph.ends.size());
  for (const auto& [from, to] : children) {
    graph.edges.push_back({from.first, to, {{from.second, from.second}}});
    known[from.first].push_back({from.second, from.second});
  }
  for (uint32_t node = 0; node < known.size(); ++node)
    graph.edges.push_back({node, 1, complement(make_code_set(std::move(known[node])))});
  return json_string_content(graph, budget);
}

} // namespace troupe
