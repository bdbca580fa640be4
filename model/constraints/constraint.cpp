#include "model/constraints/constraint.hpp"
#include "model/constraints/automaton.hpp"
#include "model/constraints/gbnf.hpp"
#include "model/constraints/json_schema.hpp"
#include "model/constraints/regex.hpp"

namespace troupe {
namespace {

constraint_grammar read(const text_constraint& constraint, compile_budget& budget) {
  switch (constraint.kind) {
  case constraint_kind::json_schema: return read_json_schema(constraint.text, budget);
  case constraint_kind::grammar: return read_gbnf(constraint.text);
  case constraint_kind::regex: {
    constraint_grammar grammar;
    grammar.add("root", read_regex(constraint.text, regex_anchors::whole_text));
    return grammar;
  }
  case constraint_kind::json_object: break;
  }
  return any_json_object();
}

} // namespace

std::shared_ptr<const automaton> compile(const text_constraint& constraint) {
  compile_budget budget;
  const auto grammar = read(constraint, budget);
  return std::make_shared<const automaton>(grammar, budget);
}

} // namespace troupe
