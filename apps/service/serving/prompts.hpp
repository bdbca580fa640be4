#pragma once
// From a request to the tokens that a model reads.
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/serving/served_model.hpp"
#include <cstdint>
#include <string>
#include <optional>
#include <string>
#include <vector>

namespace troupe::service {

/// messages, tools and chat_template_kwargs of a chat completion. Throws json_error.
conversation openai_conversation(const json_node& body);

/// The conversation as the model's chat template writes it. Throws api_error.
std::string chat_text(const served_model& model, const conversation& talk);
/// Its tokens. Throws api_error: also when they leave no room for an answer.
std::vector<uint32_t> chat_prompt(const served_model& model, const conversation& talk);

struct text_prompt {
  std::string text;
  std::vector<uint32_t> tokens;
};
/// One prompt as it came: its text, or its ids.
struct prompt_source {
  std::string place; // In the body.
  std::optional<std::string> text;
  std::vector<uint32_t> ids;
};
/// `prompt` of a completion: a text, a list of token ids, or a list of either. Throws json_error, api_error.
std::vector<prompt_source> read_prompts(const served_model& model, const json_node& body);
/// Throws api_error: also when it leaves no room for an answer.
text_prompt make_prompt(const served_model& model, const prompt_source& from);
/// How many those are. Throws json_error where there is none.
size_t prompts_in(const json_node& body);

} // namespace troupe::service
