#pragma once
// A conversation, as chat templates know it, and the text that a model continues.
#include "model/formats/json.hpp"
#include <string>

namespace troupe {

class chat_template;
class tokenizer;

/// What Hugging Face's apply_chat_template takes: messages with "role" and "content", assistants' "tool_calls" with arguments as objects,
/// answers of tools with the role "tool"; and "tools" in OpenAI's nested form.
struct conversation {
  json_value::array messages;
  json_value::array tools;
  json_value::object more; // Further variables of the template: chat_template_kwargs.
};

json_value text_message(std::string role, std::string content);

/// The variables of a template: messages, tools or null, add_generation_prompt, bos_token, eos_token, and what the conversation has more.
json_value template_context(const conversation& talk, const std::string& bos, const std::string& eos);

/// The conversation as the template writes it, up to where the answer begins. The template writes special tokens itself, so the text is to
/// be encoded with special_tokens::in_text. Throws input_error as chat_template::render does.
std::string chat_text(const chat_template& chat, const tokenizer& words, const conversation& talk);

} // namespace troupe
