#pragma once
// Calls of tools in what a model has said.
#include "model/formats/json.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace troupe::service {

struct tool_call {
  std::string name;
  std::string arguments; // JSON text of an object.
};

struct parsed_answer {
  std::string text; // What is no call.
  std::vector<tool_call> calls;
};

/// Knows what published models are trained to say:
///   <tool_call>{"name": ..., "arguments": {...}}</tool_call>, any number of them      Qwen, Hermes
///   {"name": ..., "parameters": {...}}, alone; or a list of such, after [TOOL_CALLS]    Llama 3, Mistral
/// What is none of these is text.
/// A call of a tool that is none of `names` is text, too.
parsed_answer parse_tool_calls(std::string_view text, const std::vector<std::string>& names);

/// How much of a text that is still growing cannot be part of a call; of its first `before` bytes that is known.
size_t text_before_calls(std::string_view text, size_t before);

/// The schema of one call: which of the tools, and its arguments. `only`: the one that is wanted; empty: any.
/// Throws json_error (of `tools`) when there is no such tool.
std::string call_schema(const json_value::array& tools, std::string_view only);

} // namespace troupe::service
