// POST /tokenize, /detokenize, /apply-template
#include "apps/service/api/fields.hpp"
#include "apps/service/serving/prepare.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "apps/service/tasks/text_tasks.hpp"

namespace troupe::service {

void tokenize(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  const bool has_pieces = body.flag_or("with_pieces", false) || body.flag_or("return_token_strs", false);
  const auto answer_of = [&model, has_pieces](const std::vector<uint32_t>& ids) {
    json answer{{"tokens", ids}, {"count", ids.size()}, {"max_model_len", model.context()}};
    if (has_pieces) {
      answer["token_strs"] = json::array();
      for (const uint32_t id : ids) answer["token_strs"].push_back(model.words().token_bytes(id, true));
    }
    return to_text(answer);
  };
  const auto respond = [](call& with, const std::string& answer) { respond_json(*with.exchange, answer); };
  if (body.find("messages")) {
    const auto make = [&model, answer_of, talk = openai_conversation(body)] {
      return answer_of(model.words().encode(chat_text(model, talk), special_tokens::in_text));
    };
    return prepare(of, model, make, respond);
  }
  const std::string text = require_any(body, {"content", "prompt"}).text();
  model.check_length(text.size());
  const bool adds = body.flag_or("add_special", body.flag_or("add_special_tokens", true));
  const auto make = [&model, answer_of, text, adds] {
    return answer_of(model.words().encode(text, adds ? special_tokens::as_file : special_tokens::in_text));
  };
  prepare(of, model, make, respond);
}

void detokenize(call& of, const json_node& body) {
  const auto& model = find_model(of, body);
  std::vector<uint32_t> ids;
  for (const auto& id : body.get("tokens").elements()) ids.push_back(uint32_t(integer_of(id, 0, int64_t(model.file().spec.vocabulary) - 1)));
  const std::string text = model.words().decode(ids, true);
  respond_json(*of.exchange, to_text({{"content", text}, {"prompt", text}}));
}

void apply_template(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  prepare(of, model, [&model, talk = openai_conversation(body)] { return to_text({{"prompt", chat_text(model, talk)}}); },
          [](call& with, const std::string& answer) { respond_json(*with.exchange, answer); });
}

} // namespace troupe::service
