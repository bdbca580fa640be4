#pragma once
// Messages of a conversation, from the form of an API to what chat templates take.
#include "model/chat/conversation.hpp"
#include "model/formats/json.hpp"
#include <string>

namespace troupe::service {

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

} // namespace troupe::service
