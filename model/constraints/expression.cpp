#include "model/constraints/expression.hpp"
#include <algorithm>
#include <map>
#include <utility>

namespace troupe {
namespace {

using kind = expression::kind;

uint64_t times(uint64_t size, uint64_t count) {
  return size > 0 && count > expression::size_max / size ? expression::size_max : std::min(size * count, expression::size_max);
}

expression_ptr finished(expression made, uint64_t size) {
  made.size = std::clamp<uint64_t>(size, 1, expression::size_max); // What is empty is emitted, too.
  return std::make_shared<const expression>(std::move(made));
}

} // namespace

expression_ptr text_of(std::string bytes) {
  const uint64_t size = bytes.size();
  expression made;
  made.what = kind::text;
  made.text = std::move(bytes);
  return finished(std::move(made), size);
}

expression_ptr one_of(code_set characters) {
  const bool is_ascii = characters.empty() || characters.back().last < 0x80;
  const uint64_t size = is_ascii ? characters.size() : 3 * characters.size() + 4;
  expression made;
  made.what = kind::characters;
  made.characters = std::move(characters);
  return finished(std::move(made), size);
}

expression_ptr sequence_of(std::vector<expression_ptr> parts) {
  uint64_t size = 1;
  for (const auto& part : parts) size = std::min(size + part->size, expression::size_max);
  expression made;
  made.parts = std::move(parts);
  return finished(std::move(made), size);
}

expression_ptr choice_of(std::vector<expression_ptr> parts) {
  if (parts.size() == 1) return parts.front();
  uint64_t size = 1;
  for (const auto& part : parts) size = std::min(size + part->size, expression::size_max);
  expression made;
  made.what = kind::choice;
  made.parts = std::move(parts);
  return finished(std::move(made), size);
}

expression_ptr repeated(expression_ptr part, uint32_t least, uint32_t most) {
  const uint64_t size = times(part->size + 1, most == expression::unbounded ? uint64_t(least) + 1 : most) + 1;
  expression made;
  made.what = kind::repeat;
  made.parts = {std::move(part)};
  made.least = least;
  made.most = most;
  return finished(std::move(made), size);
}

expression_ptr optional(expression_ptr part) { return repeated(std::move(part), 0, 1); }

expression_ptr rule_of(uint32_t rule) {
  expression made;
  made.what = kind::rule;
  made.rule = rule;
  return finished(std::move(made), 1);
}

expression_ptr graph_of(expression_graph graph) {
  uint64_t size = graph.ends.size();
  for (const auto& edge : graph.edges) size = std::min(size + edge.label->size, expression::size_max);
  expression made;
  made.what = kind::graph;
  made.graph = std::make_shared<const expression_graph>(std::move(graph));
  return finished(std::move(made), size);
}

expression_ptr any_text_of(const std::vector<std::string>& texts, compile_budget& budget) {
  expression_graph graph;
  graph.ends.assign(1, false);
  std::map<std::pair<uint32_t, char>, uint32_t> nodes;
  for (const auto& text : texts) {
    budget.charge(2 * text.size() + 1);
    uint32_t at = 0;
    for (const char byte : text) {
      const auto [place, is_new] = nodes.try_emplace({at, byte}, uint32_t(graph.ends.size()));
      if (is_new) {
        graph.edges.push_back({at, place->second, text_of(std::string(1, byte))});
        graph.ends.push_back(false);
      }
      at = place->second;
    }
    graph.ends[at] = true;
  }
  return graph_of(std::move(graph));
}

} // namespace troupe
