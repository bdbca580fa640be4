#include "model/chat/conversation.hpp"
#include "model/chat/chat_template.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include <utility>

namespace troupe {
namespace {

std::string piece_text(const tokenizer& words, const std::optional<uint32_t>& token) {
  return token ? words.token_bytes(*token, true) : std::string();
}

} // namespace

json_value text_message(std::string role, std::string content) {
  return {json_value::object{{"role", {std::move(role)}}, {"content", {std::move(content)}}}};
}

json_value template_context(const conversation& talk, const std::string& bos, const std::string& eos) {
  json_value::object context = talk.more;
  const auto set = [&](const char* name, json_value value) {
    for (const auto& member : context)
      if (member.name == name) return;
    context.push_back({name, std::move(value)});
  };
  std::erase_if(context, [](const json_member& member) { return member.name == "messages" || member.name == "tools"; });
  set("messages", {talk.messages});
  set("tools", talk.tools.empty() ? json_value{nullptr} : json_value{talk.tools});
  set("add_generation_prompt", {true});
  set("bos_token", {bos});
  set("eos_token", {eos});
  return {std::move(context)};
}

std::string chat_text(const chat_template& chat, const tokenizer& words, const conversation& talk) {
  return chat.render(template_context(talk, piece_text(words, words.words().bos), piece_text(words, words.words().eos)));
}

} // namespace troupe
