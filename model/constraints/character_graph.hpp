#pragma once
// Finite automata over characters: patterns that are combined with lengths, and put into JSON strings.
#include "model/constraints/expression.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// The texts that lead from node 0 to an end, a character an edge.
struct character_graph {
  struct edge {
    uint32_t from = 0, to = 0;
    code_set characters;
  };
  std::vector<bool> ends;
  std::vector<edge> edges;
};

/// Of a regular expression: of characters, sequences, choices and repetitions.
character_graph graph_of_characters(const expression& pattern, compile_budget& budget);

/// Those of its texts that have `least` to `most` characters; most: expression::unbounded for no limit.
character_graph with_length(const character_graph& graph, uint32_t least, uint32_t most, compile_budget& budget);

/// Any character of a set inside a JSON string; in one spelling only: as it is, else by its short escape, else as \u00xx.
expression_ptr json_character(const code_set& characters);

/// The texts of a graph inside a JSON string, without the quotes.
expression_ptr json_string_content(const character_graph& graph, compile_budget& budget);

/// The strings that are none of these, as json_string_content spells them.
expression_ptr json_string_content_except(const std::vector<std::string>& texts, compile_budget& budget);

} // namespace troupe
