#include "apps/service/api/tool_calls.hpp"

#include "apps/service/api/json_text.hpp"

#include <algorithm>
#include <optional>

namespace troupe::service {
namespace {

constexpr std::string_view open_mark = "<tool_call>", close_mark = "</tool_call>", list_mark = "[TOOL_CALLS]";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

/// What a model has said may nest as deeply as it likes: json_file bounds that. Null where it is no JSON.
json parsed(std::string_view text) {
  try {
    const json_file file("answer", text);
    return to_json(file.root().value());
  } catch (const input_error&) {
    return nullptr;
  }
}

std::optional<tool_call> call_of(const json& value) {
  if (!value.is_object()) return std::nullopt;
  const auto name = value.find("name");
  auto arguments = value.find("arguments");
  if (arguments == value.end()) arguments = value.find("parameters");
  if (name == value.end() || !name->is_string() || arguments == value.end()) return std::nullopt;
  if (arguments->is_string() && parsed(arguments->get<std::string>()).is_object())
    return tool_call{name->get<std::string>(), arguments->get<std::string>()};
  if (!arguments->is_object()) return std::nullopt;
  return tool_call{name->get<std::string>(), to_text(*arguments)};
}

/// All of it is one call, or a list of calls; else nothing.
std::vector<tool_call> calls_of(std::string_view text, const std::vector<std::string>& names) {
  const auto value = parsed(text);
  std::vector<tool_call> calls;
  const json list = value.is_array() ? value : json::array({value});
  for (const auto& one : list) {
    auto call = call_of(one);
    if (!call || std::ranges::find(names, call->name) == names.end()) return {};
    calls.push_back(std::move(*call));
  }
  return calls;
}

} // namespace

parsed_answer parse_tool_calls(std::string_view text, const std::vector<std::string>& names) {
  parsed_answer answer;
  if (text.find(open_mark) == std::string_view::npos) {
    auto whole = trimmed(text);
    if (whole.starts_with(list_mark)) whole.remove_prefix(list_mark.size());
    answer.calls = calls_of(whole, names);
    if (answer.calls.empty()) answer.text = text;
    return answer;
  }
  size_t at = 0;
  while (at < text.size()) {
    const size_t open = text.find(open_mark, at), begin = open + open_mark.size();
    if (open == std::string_view::npos) break;
    const size_t close = std::min(text.find(close_mark, begin), text.size());
    auto calls = calls_of(trimmed(text.substr(begin, close - begin)), names);
    if (calls.empty()) break; // Not what it seemed to be.
    answer.text += text.substr(at, open - at);
    answer.calls.insert(answer.calls.end(), calls.begin(), calls.end());
    at = std::min(close + close_mark.size(), text.size());
  }
  answer.text += text.substr(at);
  answer.text = trimmed(answer.text);
  return answer;
}

size_t text_before_calls(std::string_view text, size_t before) {
  if (before == 0) {
    const auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos || text[begin] == '{' || text[begin] == '[') return 0;
  }
  const size_t mark = text.find(open_mark, before);
  if (mark != std::string_view::npos) return mark;
  // The text may end with the beginning of a mark.
  for (size_t length = std::min(open_mark.size() - 1, text.size()); length > 0; --length)
    if (text.ends_with(open_mark.substr(0, length))) return text.size() - length;
  return text.size();
}

std::string call_schema(const json_value::array& tools, std::string_view only) {
  json variants = json::array();
  json definitions = json::object();
  for (const auto& tool : tools) {
    const json function = to_json(tool)["function"];
    if (!only.empty() && function["name"] != only) continue;
    json parameters = function["parameters"];
    for (const auto* place : {"$defs", "definitions"}) { // References begin at the root of a schema.
      if (!parameters.contains(place)) continue;
      for (const auto& [name, one] : parameters[place].items()) {
        if (definitions[place].contains(name) && definitions[place][name] != one)
          throw json_error("", "tools", "two tools have different definitions of \"" + name + "\"");
        definitions[place][name] = one;
      }
      parameters.erase(place);
    }
    variants.push_back({{"type", "object"},
                        {"properties", {{"name", {{"const", function["name"]}}}, {"arguments", parameters}}},
                        {"required", {"name", "arguments"}},
                        {"additionalProperties", false}});
  }
  if (variants.empty()) throw json_error("", "tool_choice", only.empty() ? "there are no tools" : "there is no tool of that name");
  json schema = variants.size() == 1 ? variants[0] : json{{"anyOf", variants}};
  for (const auto& [place, all] : definitions.items()) schema[place] = all;
  return to_text(schema);
}

} // namespace troupe::service
