#include "model/constraints/json_schema.hpp"
#include "model/constraints/automaton.hpp"
#include "model/constraints/automaton_states.hpp"
#include "model/constraints/character_graph.hpp"
#include "model/constraints/json_texts.hpp"
#include "model/constraints/regex.hpp"
#include "model/constraints/schema_shape.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <map>
#include <memory>
#include <set>

namespace troupe {
namespace {

constexpr size_t schema_bytes_max = 1 << 20;
constexpr size_t rules_max = 1 << 16;

/// What RFC 3339, 4122, 1123, ... say, or a part of it: each text is valid.
const std::map<std::string, std::string>& formats() {
  static const std::string date = "[1-9]\\d{3}-"
                                  "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|"
                                  "02-(?:0[1-9]|1\\d|2[0-8]))",
                           time = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)",
                           label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?", byte = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)",
                           clock = "(?:\\d{1,9}H(?:\\d{1,9}M(?:\\d{1,9}S)?)?|\\d{1,9}M(?:\\d{1,9}S)?|\\d{1,9}S)",
                           calendar = "(?:\\d{1,9}Y(?:\\d{1,9}M(?:\\d{1,9}D)?)?|\\d{1,9}M(?:\\d{1,9}D)?|\\d{1,9}D)";
  static const std::map<std::string, std::string> all{
    {"date", date},
    {"time", time},
    {"date-time", "(?:" + date + ")T" + time},
    {"duration", "P(?:" + calendar + "(?:T" + clock + ")?|T" + clock + "|\\d{1,9}W)"},
    {"email", "[A-Za-z0-9_+-]{1,20}(?:\\.[A-Za-z0-9_+-]{1,20}){0,2}@" + label + "(?:\\." + label + "){1,2}"},
    {"hostname", label + "(?:\\." + label + "){0,2}"},
    {"ipv4", byte + "(?:\\." + byte + "){3}"},
    {"ipv6", "(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}"},
    {"uuid", "[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"},
  };
  return all;
}

class schema_compiler {
public:
  schema_compiler(const json_value& root, compile_budget& budget) : budget_(budget), reader_(root, budget), json_(grammar_) {}

  constraint_grammar compile() {
    rule_for(reader_.whole());
    while (!open_.empty()) {
      const auto [rule, schemas] = std::move(open_.back());
      open_.pop_back();
      const auto where = reader_.place(schemas);
      try {
        auto body = value(reader_.shapes_of(schemas), where);
        grammar_.rules[rule].body = std::move(body);
      } catch (const input_error& error) {
        const std::string reason = error.what();
        if (reason.starts_with("the JSON schema")) throw;
        reader_.fail(where, reason);
      }
    }
    return std::move(grammar_);
  }

private:
  /// The rule for a value; its body comes later, so that schemas may mention themselves.
  expression_ptr rule_for(const schema_list& schemas) {
    if (schemas.empty()) return json_.any_value();
    const auto [known, is_new] = rules_.try_emplace(schemas, 0);
    if (is_new) {
      if (grammar_.rules.size() > rules_max) throw input_error("the JSON schema has more than " + std::to_string(rules_max) + " parts");
      const auto place = reader_.place(schemas);
      budget_.charge(4 + schemas.size() + place.size() / 16);
      known->second = grammar_.add("for " + place, nullptr);
      open_.emplace_back(known->second, schemas);
    }
    return rule_of(known->second);
  }

  expression_ptr value(const std::vector<value_shape>& shapes, const std::string& where) {
    std::vector<expression_ptr> choices;
    std::vector<std::string> listed;
    for (auto shape : shapes) {
      budget_.charge(weight(shape));
      // Keywords about one kind of value without a type mean a value of that kind.
      if (shape.kinds == value_kind::all && !shape.values && shape.mentioned != 0) shape.kinds = shape.mentioned;
      if (shape.values) add_listed(shape, where, listed);
      else add_kinds(shape, where, choices);
    }
    if (!listed.empty()) choices.push_back(any_text_of(listed, budget_));
    return choice_of(std::move(choices));
  }

  void add_kinds(const value_shape& shape, const std::string& where, std::vector<expression_ptr>& choices) {
    if (shape.kinds == value_kind::all && shape.mentioned == 0) return choices.push_back(json_.any_value());
    if (shape.kinds & value_kind::null) choices.push_back(text_of("null"));
    if (shape.kinds & value_kind::boolean) choices.push_back(json_.boolean());
    if (shape.kinds & value_kind::number) choices.push_back(number(shape, where));
    if (shape.kinds & value_kind::text) choices.push_back(text(shape, where));
    if (shape.kinds & value_kind::array) choices.push_back(array(shape));
    if (shape.kinds & value_kind::object) choices.push_back(object(shape));
  }

  /// The listed values of which the rest of the shape holds, too.
  void add_listed(const value_shape& shape, const std::string& where, std::vector<std::string>& listed) {
    const auto texts = (shape.mentioned & shape.kinds & value_kind::text) ? texts_of(shape, where) : nullptr;
    for (const auto* one : *shape.values) {
      const uint8_t kind = kind_of(*one);
      if (!(kind & shape.kinds)) continue;
      const auto spelled = to_json_text(*one);
      if (kind & shape.mentioned) {
        if (kind & (value_kind::array | value_kind::object))
          reader_.fail(where, "listed values together with keywords about arrays or objects are not supported");
        if ((kind & value_kind::number) && !is_within(shape, decimal_of(*one))) continue;
        if (kind == value_kind::text && !(texts && holds(texts, spelled))) continue;
      }
      listed.push_back(spelled);
    }
  }

  /// The texts that a shape allows; null: none. Listed texts are spelled as patterns and formats spell theirs; lengths count their
  /// characters.
  std::shared_ptr<const automaton> texts_of(const value_shape& shape, const std::string& where) {
    constraint_grammar only_texts;
    only_texts.add("text", text(shape, where));
    try {
      return std::make_shared<const automaton>(only_texts, budget_);
    } catch (const unsatisfiable&) {
      return nullptr;
    }
  }

  bool holds(const std::shared_ptr<const automaton>& texts, const std::string& spelled) {
    budget_.charge(texts->states() / 16);
    automaton_states states(texts);
    uint32_t at = states.start();
    for (const char byte : spelled) {
      budget_.charge(1 + 4 * states.weight(at));
      at = states.next(at, uint8_t(byte));
    }
    return states.may_end(at);
  }

  expression_ptr number(const value_shape& shape, const std::string& where) {
    const bool is_whole = !(shape.kinds & value_kind::other_number) || shape.multiple_of != 0;
    if (!shape.least && !shape.most && shape.multiple_of <= 1) return is_whole ? json_.any_whole() : json_.any_number();
    const number_bounds bounds{shape.least, shape.most, shape.above_least, shape.below_most, std::max(1u, shape.multiple_of)};
    if (is_whole) return whole_numbers(bounds, budget_);
    for (const auto& bound : {shape.least, shape.most})
      if (bound && bound->whole.size() + bound->fraction.size() > digits_max)
        reader_.fail(where, "bounds of more than " + std::to_string(digits_max) +
                              " digits are not supported for numbers that are not integers");
    return decimal_numbers(bounds, budget_);
  }

  expression_ptr text(const value_shape& shape, const std::string& where) {
    if (shape.length_least > shape.length_most) return choice_of({});
    if (!shape.pattern && !shape.format) return json_.string_of_length(shape.length_least, shape.length_most);
    if (shape.pattern && shape.format) reader_.fail(where, "pattern and format for one text are not supported");
    expression_ptr expression;
    if (shape.pattern) {
      expression = read_regex(*shape.pattern, regex_anchors::as_written);
    } else {
      const auto found = formats().find(*shape.format);
      if (found == formats().end()) {
        std::string names;
        for (const auto& [name, pattern] : formats()) names += (names.empty() ? "" : ", ") + name;
        reader_.fail(where + "/format", "the format " + *shape.format + " is not supported; there are " + names);
      }
      expression = read_regex(found->second, regex_anchors::whole_text);
    }
    const auto graph = with_length(graph_of_characters(*expression, budget_), shape.length_least, shape.length_most, budget_);
    return json_texts::in_quotes(json_string_content(graph, budget_));
  }

  expression_ptr array(const value_shape& shape) {
    // Node 2 i: there are i elements; 2 i + 1: one is next. The last pair stands for all that follow.
    const uint32_t first = uint32_t(shape.first_items.size());
    const bool is_open = shape.items_most == ~uint32_t(0);
    const uint32_t counted = is_open ? std::max(first, shape.items_least) : shape.items_most;
    budget_.charge(20 * uint64_t(counted)); // Two nodes and three edges each.
    expression_graph graph;
    graph.ends.assign(size_t(counted) * 2 + 3, false);
    const uint32_t end = counted * 2 + 2;
    graph.ends[end] = true;
    const auto close = text_of("]"), space_close = sequence_of({json_.space(), close}), comma = sequence_of({text_of(","), json_.space()}),
               nothing = sequence_of({});
    expression_ptr other; // Than the first ones.
    for (uint32_t i = 0; i <= counted; ++i) {
      // After "[" white space has been read already.
      if (i >= shape.items_least) graph.edges.push_back({2 * i, end, i == 0 ? close : space_close});
      if (i == counted && !is_open) break;
      graph.edges.push_back({2 * i, 2 * i + 1, i == 0 ? nothing : comma});
      // What comes after the counted ones goes round in the last pair; an empty array cannot, for it has had no comma.
      const uint32_t next = i < counted ? 2 * i + 2 : 2 * i;
      if (i >= first && !other) other = rule_for(shape.items);
      const auto element = i < first ? rule_for(shape.first_items[i]) : other;
      if (i == 0 && counted == 0) return sequence_of({text_of("["), json_.space(), open_elements(element, close, comma)});
      graph.edges.push_back({2 * i + 1, next, element});
    }
    return sequence_of({text_of("["), json_.space(), graph_of(std::move(graph))});
  }

  /// Any number of elements, and the bracket.
  expression_ptr open_elements(const expression_ptr& element, const expression_ptr& close, const expression_ptr& comma) {
    const auto more = repeated(sequence_of({comma, element}), 0, expression::unbounded);
    return sequence_of({optional(sequence_of({element, more, json_.space()})), close});
  }

  expression_ptr object(const value_shape& shape) {
    if (shape.mentioned == 0 || !(shape.mentioned & value_kind::object)) return json_.any_object();
    auto properties = shape.properties;
    // Without a word about them there are no other properties, unless none is named at all.
    const bool has_others = shape.additional ? shape.allows_additional : properties.empty() && shape.required.empty();
    const auto others = shape.additional.value_or(schema_list{});
    std::set<std::string> named;
    for (const auto& [name, schemas] : properties) named.insert(name);
    for (const auto& name : shape.required) {
      if (named.contains(name)) continue;
      if (!shape.allows_additional) return choice_of({}); // It is required, and forbidden.
      properties.emplace_back(name, others);
    }
    const auto count = uint32_t(properties.size());
    budget_.charge(60 * uint64_t(count)); // Four nodes and up to eight edges each.
    uint32_t required_end = 0; // Behind the last that is required.
    for (uint32_t i = 0; i < count; ++i)
      if (shape.required.contains(properties[i].first)) required_end = i + 1;

    // For property i, and i = count for all others: none was read before, one was, a comma was, and one of the three before it.
    expression_graph graph;
    graph.ends.assign(4 * size_t(count + 1) + 1, false);
    const uint32_t end = 4 * (count + 1);
    graph.ends[end] = true;
    const auto first = [](uint32_t i) { return 4 * i; };
    const auto after = [](uint32_t i) { return 4 * i + 1; };
    const auto next = [](uint32_t i) { return 4 * i + 2; };
    const auto member = [](uint32_t i) { return 4 * i + 3; };
    const auto nothing = sequence_of({}), comma = sequence_of({text_of(","), json_.space()}),
               close = sequence_of({json_.space(), text_of("}")});
    const auto link = [&](uint32_t from, uint32_t to, const expression_ptr& label) { graph.edges.push_back({from, to, label}); };
    for (uint32_t i = 0; i <= count; ++i) {
      const bool is_optional = i < count && !shape.required.contains(properties[i].first);
      if (i < count || has_others) {
        link(first(i), member(i), nothing);
        link(next(i), member(i), nothing);
        link(after(i), next(i), comma);
      }
      if (is_optional) {
        link(first(i), first(i + 1), nothing);
        link(next(i), next(i + 1), nothing);
      }
      if (i >= required_end) link(after(i), end, close);
      if (i < count) {
        const auto key = text_of(json_quoted(properties[i].first));
        link(member(i), after(i + 1), sequence_of({key, json_.colon(), rule_for(properties[i].second)}));
      }
    }
    link(first(count), end, text_of("}"));
    if (has_others) {
      std::vector<std::string> names;
      for (const auto& [name, schemas] : properties) names.push_back(name);
      const auto key = names.empty() ? json_.any_string() : json_texts::in_quotes(json_string_content_except(names, budget_));
      link(member(count), after(count), sequence_of({key, json_.colon(), rule_for(others)}));
    }
    return sequence_of({text_of("{"), json_.space(), graph_of(std::move(graph))});
  }

  compile_budget& budget_;
  schema_reader reader_;
  constraint_grammar grammar_;
  json_texts json_;
  std::map<schema_list, uint32_t> rules_;
  std::vector<std::pair<uint32_t, schema_list>> open_;
};

} // namespace

constraint_grammar read_json_schema(std::string_view text, compile_budget& budget) {
  if (text.size() > schema_bytes_max) throw input_error("the JSON schema is longer than " + std::to_string(schema_bytes_max) + " bytes");
  const json_file file("the JSON schema", text);
  return schema_compiler(file.value(), budget).compile();
}

constraint_grammar any_json_object() {
  constraint_grammar grammar;
  grammar.add("root", nullptr);
  json_texts json(grammar);
  auto body = json.any_object();
  grammar.rules[0].body = std::move(body);
  return grammar;
}

} // namespace troupe
