#pragma once
// Messages of a conversation, from the form of an API to what chat templates take.
#include "model/formats/json.hpp"
#include <optional>
#include <string>
#include <vector>

namespace troupe::service {

/// A conversation as chat templates know it (Hugging Face's apply_chat_template): messages with "role" and "content", assistants'
/// "tool_calls" with arguments as objects, answers of tools with the role "tool"; and "tools" in OpenAI's nested form.
struct conversation {
  json_value::array messages;
  json_value::array tools;
  json_value::object more; // Further variables of the template: chat_template_kwargs.
};

/// OpenAI's `messages` of chat completions. Throws json_error.
json_value::array openai_messages(const json_node& messages);
/// OpenAI's `tools` of chat completions, checked.
json_value::array openai_tools(const json_node& tools);
/// Input of the Responses API: a text, or a list of items.
json_value::array response_input(const json_node& input);
/// Tools of the Responses API, which are not nested.
json_value::array response_tools(const json_node& tools);
/// Anthropic's `messages`, and `tools`.
json_value::array anthropic_messages(const json_node& messages);
json_value::array anthropic_tools(const json_node& tools);
/// Anthropic's `system`: a text or a list of text blocks.
std::string anthropic_system(const json_node& system);

json_value text_message(std::string role, std::string content);

/// The context of a template: messages, tools or null, add_generation_prompt, and what the conversation has more.
json_value template_context(const conversation& talk, const std::string& bos, const std::string& eos);

} // namespace troupe::service
