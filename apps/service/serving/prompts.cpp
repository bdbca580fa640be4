#include "apps/service/serving/prompts.hpp"

#include "apps/service/api/api_error.hpp"
#include "apps/service/api/fields.hpp"
#include "model/error.hpp"

#include <algorithm>
#include <utility>

namespace troupe::service {
namespace {

constexpr size_t prompts_max = 256;

bool is_list_of_ids(const json_node& prompt) {
  return prompt.is_array() && prompt.size() > 0 && !prompt[0].is_text() && !prompt[0].is_array();
}

} // namespace

conversation openai_conversation(const json_node& body) {
  conversation talk;
  talk.messages = openai_messages(body.get("messages"));
  if (const auto tools = body.find("tools")) talk.tools = openai_tools(*tools);
  if (const auto more = body.find("chat_template_kwargs")) talk.more = more->members();
  return talk;
}

std::string chat_text(const served_model& model, const conversation& talk) {
  const auto& chat = model.chat();
  try {
    return troupe::chat_text(chat, model.words(), talk);
  } catch (const input_error& error) {
    throw api_error(400, "chat_template_error", error.what(), "messages");
  }
}

std::vector<uint32_t> chat_prompt(const served_model& model, const conversation& talk) {
  const std::string text = chat_text(model, talk);
  model.check_length(text.size());
  // A template writes the special tokens itself.
  auto tokens = model.words().encode(text, special_tokens::in_text);
  model.check_prompt(tokens.size());
  if (tokens.empty()) throw api_error(400, "empty_prompt", "the messages make an empty prompt", "messages");
  return tokens;
}

text_prompt make_prompt(const served_model& model, const prompt_source& from) {
  text_prompt result;
  if (from.text) {
    result.text = *from.text;
    model.check_length(result.text.size());
    result.tokens = model.words().encode(result.text);
  } else {
    result.tokens = from.ids;
    if (model.runs().words()) result.text = model.words().decode(result.tokens);
  }
  if (result.tokens.empty()) throw api_error(400, "invalid_value", from.place + ": is empty: at least one token is needed", from.place);
  model.check_prompt(result.tokens.size());
  return result;
}

size_t prompts_in(const json_node& body) {
  const auto prompt = body.get("prompt");
  return prompt.is_array() && !is_list_of_ids(prompt) ? prompt.size() : 1;
}

std::vector<prompt_source> read_prompts(const served_model& model, const json_node& body) {
  const auto read = [&](const json_node& prompt, std::string place) {
    prompt_source one{std::move(place), {}, {}};
    if (prompt.is_text()) {
      one.text = prompt.text();
      return one;
    }
    if (!prompt.is_array()) prompt.fail_kind("a string or an array of token ids");
    for (const auto& id : prompt.elements()) one.ids.push_back(uint32_t(integer_of(id, 0, int64_t(model.file().spec.vocabulary) - 1)));
    return one;
  };
  const auto prompt = body.get("prompt");
  if (!prompt.is_array() || is_list_of_ids(prompt)) return {read(prompt, "prompt")};
  if (prompt.size() == 0) prompt.fail("is empty");
  if (prompt.size() > prompts_max) prompt.fail("has " + std::to_string(prompt.size()) + " elements; at most " + std::to_string(prompts_max));
  std::vector<prompt_source> all;
  for (size_t i = 0; i < prompt.size(); ++i) all.push_back(read(prompt[i], "prompt[" + std::to_string(i) + "]"));
  return all;
}

} // namespace troupe::service
