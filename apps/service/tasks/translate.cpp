// POST /translate
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/serving/start.hpp"
#include "apps/service/tasks/endpoints.hpp"
#include "apps/service/tasks/text_tasks.hpp"

#include <utility>

namespace troupe::service {

void translate(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  const auto& file = model.file();
  if (!file.spec.encoder || file.spec.input().audio)
    throw api_error(400, "unsupported_model", "the model \"" + model.name() + "\" does not translate", "model");
  constexpr uint32_t tokens_otherwise = 256;
  auto fields = read_generation_fields(body, of.who, file, file.decoding.tokens_max.value_or(tokens_otherwise),
                                       of.drawn.seed);
  auto& common = fields.request;
  if (fields.choices != 1) body.get("n").fail("must be 1");
  read_constraint(body, common);
  if (common.constraint) throw api_error(400, "unsupported_value", "a translation takes no grammar, schema or regular expression");
  const uint32_t tokens_min = common.rules.tokens_min;
  common.rules = file.decoding.rules;
  if (tokens_min > 0) common.rules.tokens_min = tokens_min;
  common.beams = file.decoding.search;
  if (const auto beams = integer_field(body, {"beams", "num_beams"}, 1, 64)) common.beams->beams = uint32_t(*beams);
  // One beam that ends where its likeliest token does is greedy decoding.
  if (common.beams->beams == 1) common.beams->stopping = early_stopping::yes;
  const auto text = require_any(body, {"q", "text", "input"});
  const bool is_list = text.is_array();
  const auto fill = [](generate_request& to, const encoding& from) { to.source = from.ids; };
  const auto answer = [is_list, words = model.runs().words()](const std::string&, const std::vector<choice>& all) {
    json texts = json::array();
    for (const auto& one : all) texts.push_back(one.hypotheses.empty() ? "" : words->decode(one.hypotheses.front().tokens));
    return json{{"translatedText", is_list ? texts : texts.front()}};
  };
  run_text_tasks(of, model, "trans-", text, common, fill, answer);
}

} // namespace troupe::service
