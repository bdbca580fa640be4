#pragma once
// What a text must look like, as a tree: the form into which schemas, regular expressions and grammars are read.
#include "model/constraints/code_set.hpp"
#include "model/constraints/compile_budget.hpp"
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace troupe {

struct expression;
struct expression_graph;
using expression_ptr = std::shared_ptr<const expression>;

struct expression {
  enum class kind : uint8_t {
    text,       // These bytes.
    characters, // One character of a set, as UTF-8.
    sequence,   // All parts in turn; none: the empty text.
    choice,     // One of the parts; none: no text at all.
    repeat,     // The one part, `least` to `most` times.
    rule,       // What the rule of this number says.
    graph,      // The texts along a path.
  };
  static constexpr uint32_t unbounded = ~uint32_t(0);

  kind what = kind::sequence;
  std::string text;
  code_set characters;
  std::vector<expression_ptr> parts;
  uint32_t least = 0, most = 0;
  uint32_t rule = 0;
  std::shared_ptr<const expression_graph> graph;
  uint64_t size = 1; // About how many states and edges it takes; never more than size_max, which stands for too many.

  static constexpr uint64_t size_max = uint64_t(1) << 40;
};

/// A text leads from node 0 to a node that is an end.
struct expression_graph {
  struct edge {
    uint32_t from = 0, to = 0;
    expression_ptr label;
  };
  std::vector<bool> ends; // By node; at least one node.
  std::vector<edge> edges;
};

expression_ptr text_of(std::string bytes);
expression_ptr one_of(code_set characters);
expression_ptr sequence_of(std::vector<expression_ptr> parts);
expression_ptr choice_of(std::vector<expression_ptr> parts);
expression_ptr repeated(expression_ptr part, uint32_t least, uint32_t most);
expression_ptr optional(expression_ptr part);
expression_ptr rule_of(uint32_t rule);
expression_ptr graph_of(expression_graph graph);
/// One of many texts, which share the states of their common beginnings.
expression_ptr any_text_of(const std::vector<std::string>& texts, compile_budget& budget);

/// A context-free language. Rule 0 is the whole text.
struct constraint_grammar {
  struct rule {
    std::string name; // For errors.
    expression_ptr body;
    bool is_inline = false; // It is put in place of each mention where it can: it is small and does not mention itself.
  };
  std::vector<rule> rules;

  uint32_t add(std::string name, expression_ptr body, bool is_inline = false) {
    rules.push_back({std::move(name), std::move(body), is_inline});
    return uint32_t(rules.size()) - 1;
  }
};

} // namespace troupe
