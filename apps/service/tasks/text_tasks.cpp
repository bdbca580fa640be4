#include "apps/service/tasks/text_tasks.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/serving/start.hpp"

#include <algorithm>
#include <utility>

namespace troupe::service {
namespace {

constexpr size_t inputs_max = 2048; // OpenAI's.

class whole_answer : public generation_form {
public:
  whole_answer(std::shared_ptr<http::exchange> exchange, const generation& running, std::string id, task_answer answer)
    : exchange_(std::move(exchange)), running_(running), id_(std::move(id)), answer_(std::move(answer)) {}

  void completed() override {
    const auto was_cancelled = [](const choice& one) { return one.reason == finish_reason::cancelled; };
    if (std::ranges::any_of(running_.choices(), was_cancelled))
      return failed(api_error(499, "cancelled", "the request was cancelled"));
    respond_json(*exchange_, to_text(answer_(id_, running_.choices())));
  }
  void failed(const api_error& error) override { respond_error(*exchange_, error, api_form::openai); }

private:
  std::shared_ptr<http::exchange> exchange_;
  const generation& running_;
  std::string id_;
  task_answer answer_;
};

} // namespace

encoding encode_input(const served_model& model, const json_node& input) {
  encoding result;
  if (input.is_text()) {
    if (input.text().empty()) input.fail("is empty");
    model.check_length(input.text().size());
    result = model.words().encode_traced(input.text());
  } else {
    if (!input.is_array()) input.fail_kind("a string or an array of token ids");
    for (const auto& id : input.elements()) result.ids.push_back(uint32_t(integer_of(id, 0, int64_t(model.file().spec.vocabulary) - 1)));
    if (result.ids.empty()) input.fail("is empty");
  }
  const auto& spec = model.file().spec;
  const uint32_t room = spec.encoder ? spec.encoder->context_length : spec.context_length;
  if (result.ids.size() > room)
    throw api_error(400, "context_length_exceeded",
                    "this model's maximum context length is " + std::to_string(room) + " tokens; the input has " +
                      std::to_string(result.ids.size()));
  return result;
}

std::vector<encoding> encode_inputs(const served_model& model, const json_node& input) {
  if (!input.is_array() || (input.size() > 0 && !input[0].is_text() && !input[0].is_array())) return {encode_input(model, input)};
  if (input.size() == 0) input.fail("is empty");
  if (input.size() > inputs_max) input.fail("has " + std::to_string(input.size()) + " elements; at most " + std::to_string(inputs_max));
  std::vector<encoding> all;
  for (const auto& one : input.elements()) all.push_back(encode_input(model, one));
  return all;
}

void run_tasks(call& of, served_model& model, const char* prefix, std::vector<generate_request> requests, task_answer answer) {
  admit(of, model, requests.size(), requests.front());
  const std::string id = of.in.names.next(prefix);
  start(of, model, id, std::move(requests), [&](const generation& running) {
    return std::make_unique<whole_answer>(of.exchange, running, id, std::move(answer));
  });
}

generate_request result_request(call& of, const served_model& model, const json_node& body) {
  auto common = read_generation_fields(body, of.who, model.file(), 0, of.drawn.seed).request;
  common.tokens_max = 0;
  common.want_logits = true;
  return common;
}

std::vector<generate_request> result_requests(call& of, const served_model& model, const json_node& body) {
  const auto common = result_request(of, model, body);
  std::vector<generate_request> requests;
  for (const auto& text : encode_inputs(model, body.get("input"))) {
    auto& request = requests.emplace_back(common);
    request.prompt = text.ids;
    if (model.file().spec.embedding.segments > 1 && std::ranges::any_of(text.segments, [](uint8_t segment) { return segment > 0; }))
      request.segments.assign(text.segments.begin(), text.segments.end());
  }
  return requests;
}

} // namespace troupe::service
