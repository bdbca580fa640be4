#include "apps/service/api/constraint_fields.hpp"

#include "actors/requests/constraint_check.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/json_text.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "model/error.hpp"

#include <utility>

namespace troupe::service {
namespace {

/// A schema as such, or as JSON text.
std::string schema_text(const json_node& schema) { return schema.is_text() ? schema.text() : to_text(to_json(schema.value())); }

/// place: of what the constraint is made from.
void set(generate_request& request, const json_node& place, text_constraint source) {
  if (request.constraint) place.fail("is a second constraint of the same answer");
  try {
    check_constraint(source);
  } catch (const input_error& error) {
    place.fail(error.what());
  }
  request.constraint = std::move(source);
}

void read_format(const json_node& format, generate_request& request) {
  const auto type = choice_field(format, "type", {"text", "json_object", "json_schema", "regex", "grammar"}, "text");
  if (type == "json_object") {
    // llama-server takes a schema here.
    if (const auto schema = format.find("schema")) return set(request, *schema, {constraint_kind::json_schema, schema_text(*schema)});
    return set(request, format, {constraint_kind::json_object, {}});
  }
  if (type == "json_schema") {
    const auto outer = format.find("json_schema");
    const auto schema = (outer ? *outer : format).get("schema");
    return set(request, schema, {constraint_kind::json_schema, schema_text(schema)});
  }
  if (type == "regex") {
    const auto pattern = require_any(format, {"pattern", "regex"});
    return set(request, pattern, {constraint_kind::regex, pattern.text()});
  }
  if (type == "grammar") {
    const auto grammar = format.get("grammar");
    return set(request, grammar, {constraint_kind::grammar, grammar.text()});
  }
}

/// A grammar (GBNF) of just these texts.
std::string choice_grammar(const json_node& choices) {
  std::string grammar = "root ::= ";
  for (const auto& one : choices.elements()) {
    if (!grammar.ends_with("= ")) grammar += " | ";
    grammar += '"';
    for (const char c : one.text())
      if (c == '"' || c == '\\') (grammar += '\\') += c;
      else if (c == '\n') grammar += "\\n";
      else grammar += c;
    grammar += '"';
  }
  if (choices.size() == 0) choices.fail("is empty");
  return grammar;
}

void read_plain(const json_node& body, generate_request& request) {
  if (const auto found = body.find("guided_choice")) set(request, *found, {constraint_kind::grammar, choice_grammar(*found)});
  if (const auto found = find_any(body, {"json_schema", "guided_json", "json"}))
    set(request, *found, {constraint_kind::json_schema, schema_text(*found)});
  if (const auto found = find_any(body, {"guided_regex", "regex"})) set(request, *found, {constraint_kind::regex, found->text()});
  if (const auto found = find_any(body, {"guided_grammar", "grammar"})) set(request, *found, {constraint_kind::grammar, found->text()});
  if (const auto found = body.find("json_object"); found && found->flag()) set(request, *found, {constraint_kind::json_object, {}});
}

} // namespace

void read_constraint(const json_node& body, generate_request& request) {
  for (const auto* outer : {"text", "output_config"})
    if (const auto found = body.find(outer); found && found->is_object())
      if (const auto format = found->find("format")) read_format(*format, request);
  if (const auto format = find_any(body, {"response_format", "output_format"})) read_format(*format, request);
  if (const auto nested = body.find("structured_outputs")) {
    read_plain(*nested, request);
    if (const auto found = nested->find("choice")) set(request, *found, {constraint_kind::grammar, choice_grammar(*found)});
  }
  read_plain(body, request);
}

tool_choice read_tool_choice(const json_node& body, const json_value::array& tools, generate_request& request) {
  const auto wanted = body.find("tool_choice");
  std::string kind = tools.empty() ? "none" : "auto", only;
  if (wanted && wanted->is_text()) {
    kind = choice_field(body, "tool_choice", {"none", "auto", "required", "any"}, kind);
  } else if (wanted) {
    const auto type = wanted->get("type");
    if (type.text() == "function" || type.text() == "tool") {
      kind = "required";
      const auto function = wanted->find("function");
      only = (function ? *function : *wanted).get("name").text();
    } else if (type.text() == "auto" || type.text() == "any" || type.text() == "none") {
      kind = type.text();
    } else {
      type.fail("is not supported");
    }
  }
  if (kind == "none" || (kind == "auto" && tools.empty())) return {};
  std::vector<std::string> names;
  for (const auto& tool : tools) names.push_back(to_json(tool)["function"]["name"]);
  if (kind == "auto") return {tool_use::allowed, std::move(names)};
  set(request, body.find("tools").value_or(*wanted), {constraint_kind::json_schema, call_schema(tools, only)});
  return {tool_use::required, std::move(names)};
}

parsed_answer answer_of(const choice& one, const tool_choice& tools) {
  if (tools.use == tool_use::none || one.reason == finish_reason::cancelled) return {one.text, {}};
  return parse_tool_calls(one.text, tools.names);
}

} // namespace troupe::service
