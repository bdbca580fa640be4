// POST /tokenize, /detokenize, /apply-template
#include "apps/service/api/fields.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "apps/service/tasks/text_tasks.hpp"

namespace troupe::service {

void tokenize(call& of, const json_node& body) {
  const auto& model = find_model(of, body);
  std::vector<uint32_t> ids;
  if (body.find("messages")) {
    const std::string text = chat_text(model, openai_conversation(body));
    ids = model.words().encode(text, special_tokens::in_text);
  } else {
    const auto text = require_any(body, {"content", "prompt"});
    model.check_length(text.text().size());
    const bool adds = body.flag_or("add_special", body.flag_or("add_special_tokens", true));
    ids = model.words().encode(text.text(), adds ? special_tokens::as_file : special_tokens::in_text);
  }
  json answer{{"tokens", ids}, {"count", ids.size()}, {"max_model_len", model.context()}};
  if (body.flag_or("with_pieces", false) || body.flag_or("return_token_strs", false)) {
    answer["token_strs"] = json::array();
    for (const uint32_t id : ids) answer["token_strs"].push_back(model.words().token_bytes(id, true));
  }
  respond_json(*of.exchange, to_text(answer));
}

void detokenize(call& of, const json_node& body) {
  const auto& model = find_model(of, body);
  std::vector<uint32_t> ids;
  for (const auto& id : body.get("tokens").elements()) ids.push_back(uint32_t(integer_of(id, 0, int64_t(model.file().spec.vocabulary) - 1)));
  const std::string text = model.words().decode(ids, true);
  respond_json(*of.exchange, to_text({{"content", text}, {"prompt", text}}));
}

void apply_template(call& of, const json_node& body) {
  const auto& model = find_model(of, body);
  respond_json(*of.exchange, to_text({{"prompt", chat_text(model, openai_conversation(body))}}));
}

} // namespace troupe::service
