#include "apps/service/api/chat_messages.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/api/json_text.hpp"

#include <optional>
#include <utility>

namespace troupe::service {
namespace {

constexpr size_t messages_max = 4096, tools_max = 512;

void require_count(const json_node& list, size_t most) {
  if (!list.is_array()) list.fail_kind("an array");
  if (list.size() > most) list.fail("has " + std::to_string(list.size()) + " elements; at most " + std::to_string(most));
}

/// A text, or parts of text, which become one.
std::string content_text(const json_node& content) {
  if (content.is_text()) return content.text();
  if (!content.is_array()) content.fail_kind("a string or an array of content parts");
  std::string text;
  for (const auto& part : content.elements()) {
    if (part.is_text()) {
      text += part.text();
      continue;
    }
    const auto type = part.get("type");
    const auto& kind = type.text();
    if (kind == "refusal") text += part.get("refusal").text();
    else if (kind == "text" || kind == "input_text" || kind == "output_text") text += part.get("text").text();
    else type.fail("is not supported: this model reads text only");
  }
  return text;
}

/// An object that came as JSON text, as APIs have it, or as such.
json_value arguments_of(const json_node& arguments) {
  if (!arguments.is_text()) return arguments.value();
  try {
    const json_file parsed("arguments", arguments.text());
    if (parsed.root().is_object()) return parsed.root().value();
  } catch (const input_error&) {
    // What a model said is not always JSON; a template gets it as it is.
  }
  return arguments.value();
}

json_value call_of(std::string id, std::string name, json_value arguments) {
  json_value::object function{{"name", {std::move(name)}}, {"arguments", std::move(arguments)}};
  return {json_value::object{{"id", {std::move(id)}}, {"type", {std::string("function")}}, {"function", {std::move(function)}}}};
}

json_value tool_of(json_value name, const std::optional<json_node>& description, const std::optional<json_node>& parameters) {
  json_value::object function{{"name", std::move(name)}};
  if (description) function.push_back({"description", {description->text()}});
  if (parameters) {
    parameters->members();
    function.push_back({"parameters", parameters->value()});
  } else {
    function.push_back({"parameters", {json_value::object{{"type", {std::string("object")}}, {"properties", {json_value::object{}}}}}});
  }
  return {json_value::object{{"type", {std::string("function")}}, {"function", {std::move(function)}}}};
}

json_value answer_of_tool(std::string id, std::string content) {
  return {json_value::object{
    {"role", {std::string("tool")}}, {"tool_call_id", {std::move(id)}}, {"content", {std::move(content)}}}};
}

/// Calls go with the message of the assistant before them; else they make one.
void add_call(json_value::array& messages, json_value call) {
  if (!messages.empty()) {
    auto& last = std::get<json_value::object>(messages.back().content);
    const auto* role = std::get_if<std::string>(&last.front().value.content);
    if (role && *role == "assistant") {
      if (last.back().name != "tool_calls") last.push_back({"tool_calls", {json_value::array{}}});
      std::get<json_value::array>(last.back().value.content).push_back(std::move(call));
      return;
    }
  }
  messages.push_back({json_value::object{{"role", {std::string("assistant")}},
                                         {"content", {std::string()}},
                                         {"tool_calls", {json_value::array{std::move(call)}}}}});
}

std::string role_of(const json_node& message) {
  const auto node = message.get("role");
  const auto& role = node.text();
  if (role == "developer") return "system";
  if (role != "system" && role != "user" && role != "assistant" && role != "tool" && role != "function")
    node.fail("must be one of: system, developer, user, assistant, tool");
  return role == "function" ? "tool" : role;
}

} // namespace

json_value::array openai_messages(const json_node& messages) {
  require_count(messages, messages_max);
  if (messages.size() == 0) messages.fail("is empty: at least one message is needed");
  json_value::array result;
  for (const auto& message : messages.elements()) {
    json_value::object made{{"role", {role_of(message)}}};
    const auto calls = message.find("tool_calls");
    const auto content = message.find("content");
    if (!content && !calls && !message.find("function_call") && !message.find("refusal")) message.get("content");
    made.push_back({"content", content ? json_value{content_text(*content)} : json_value{std::string()}});
    for (const auto* name : {"name", "tool_call_id", "reasoning_content"})
      if (const auto found = message.find(name)) made.push_back({name, {found->text()}});
    if (calls) {
      json_value::array all;
      for (const auto& call : calls->elements()) {
        const auto function = call.get("function");
        all.push_back(call_of(text_field(call, "id", ""), function.get("name").text(), arguments_of(function.get("arguments"))));
      }
      made.push_back({"tool_calls", {std::move(all)}});
    }
    result.push_back({std::move(made)});
  }
  return result;
}

json_value::array openai_tools(const json_node& tools) {
  require_count(tools, tools_max);
  json_value::array result;
  for (const auto& tool : tools.elements()) {
    if (tool.get("type").text() != "function") tool.get("type").fail("is not supported: only \"function\" is");
    const auto function = tool.get("function");
    result.push_back(tool_of({function.get("name").text()}, function.find("description"), function.find("parameters")));
  }
  return result;
}

json_value::array response_tools(const json_node& tools) {
  require_count(tools, tools_max);
  json_value::array result;
  for (const auto& tool : tools.elements()) {
    if (tool.get("type").text() != "function") tool.get("type").fail("is not supported: only \"function\" is");
    result.push_back(tool_of({tool.get("name").text()}, tool.find("description"), tool.find("parameters")));
  }
  return result;
}

json_value::array response_input(const json_node& input) {
  if (input.is_text()) return {text_message("user", input.text())};
  require_count(input, messages_max);
  json_value::array result;
  for (const auto& item : input.elements()) {
    const auto type = text_field(item, "type", "message");
    if (type == "message") {
      result.push_back(text_message(role_of(item), content_text(item.get("content"))));
    } else if (type == "function_call") {
      add_call(result, call_of(item.get("call_id").text(), item.get("name").text(), arguments_of(item.get("arguments"))));
    } else if (type == "function_call_output") {
      result.push_back(answer_of_tool(item.get("call_id").text(), content_text(item.get("output"))));
    } else if (type != "reasoning") {
      item.get("type").fail("is not supported: only message, function_call, function_call_output and reasoning are");
    }
  }
  return result;
}

json_value::array anthropic_messages(const json_node& messages) {
  require_count(messages, messages_max);
  if (messages.size() == 0) messages.fail("is empty: at least one message is needed");
  json_value::array result;
  for (const auto& message : messages.elements()) {
    const auto role = choice_field(message, "role", {"user", "assistant", "system"}, "");
    if (role.empty()) message.get("role");
    const auto content = message.get("content");
    if (content.is_text()) {
      result.push_back(text_message(role, content.text()));
      continue;
    }
    require_count(content, messages_max);
    std::string text;
    json_value::array calls;
    const size_t first = result.size();
    for (const auto& block : content.elements()) {
      const auto type = block.get("type");
      const auto& kind = type.text();
      if (kind == "text") {
        text += block.get("text").text();
      } else if (kind == "tool_use") {
        calls.push_back(call_of(block.get("id").text(), block.get("name").text(), block.get("input").value()));
      } else if (kind == "tool_result") {
        const auto answer = block.find("content");
        result.push_back(answer_of_tool(block.get("tool_use_id").text(), answer ? content_text(*answer) : ""));
      } else if (kind != "thinking" && kind != "redacted_thinking") {
        type.fail("is not supported: this model reads text only");
      }
    }
    if (text.empty() && calls.empty() && result.size() > first) continue; // Results of tools only.
    json_value::object made{{"role", {role}}, {"content", {std::move(text)}}};
    if (!calls.empty()) made.push_back({"tool_calls", {std::move(calls)}});
    result.push_back({std::move(made)});
  }
  return result;
}

json_value::array anthropic_tools(const json_node& tools) {
  require_count(tools, tools_max);
  json_value::array result;
  for (const auto& tool : tools.elements()) {
    if (const auto type = tool.find("type"); type && type->text() != "custom") type->fail("is not supported: only \"custom\" is");
    result.push_back(tool_of({tool.get("name").text()}, tool.find("description"), tool.find("input_schema")));
  }
  return result;
}

std::string anthropic_system(const json_node& system) { return content_text(system); }

} // namespace troupe::service
