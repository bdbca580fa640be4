#pragma once
// From a request to the tokens that a model reads.
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/serving/served_model.hpp"
#include <cstdint>
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
/// `prompt` of a completion: a text, a list of token ids, or a list of either. Throws json_error, api_error.
std::vector<text_prompt> read_prompts(const served_model& model, const json_node& body);
/// How many those are. Throws json_error where there is none.
size_t prompts_in(const json_node& body);
/// The same for one text or list of ids.
text_prompt read_prompt(const served_model& model, const json_node& prompt);

} // namespace troupe::service
