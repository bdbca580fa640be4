#include "apps/service/tasks/text_tasks.hpp"

#include "apps/service/api/fields.hpp"
#include "apps/service/serving/prepare.hpp"
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

/// A text as it came, or its token ids.
struct input_source {
  std::string text;
  std::vector<uint32_t> ids; // None: it is a text.
};

input_source read_input(const served_model& model, const json_node& input) {
  if (input.is_text()) {
    if (input.text().empty()) input.fail("is empty");
    model.check_length(input.text().size());
    return {input.text(), {}};
  }
  if (!input.is_array()) input.fail_kind("a string or an array of token ids");
  input_source one;
  for (const auto& id : input.elements()) one.ids.push_back(uint32_t(integer_of(id, 0, int64_t(model.file().spec.vocabulary) - 1)));
  if (one.ids.empty()) input.fail("is empty");
  return one;
}

std::vector<input_source> read_inputs(const served_model& model, const json_node& input) {
  if (!input.is_array() || (input.size() > 0 && !input[0].is_text() && !input[0].is_array())) return {read_input(model, input)};
  if (input.size() == 0) input.fail("is empty");
  if (input.size() > inputs_max) input.fail("has " + std::to_string(input.size()) + " elements; at most " + std::to_string(inputs_max));
  std::vector<input_source> all;
  for (const auto& one : input.elements()) all.push_back(read_input(model, one));
  return all;
}

encoding encode(const served_model& model, const input_source& from) {
  encoding result;
  if (from.ids.empty()) result = model.words().encode_traced(from.text);
  else result.ids = from.ids;
  const auto& spec = model.file().spec;
  const uint32_t room = spec.encoder ? spec.encoder->context_length : spec.context_length;
  if (result.ids.size() > room)
    throw api_error(400, "context_length_exceeded",
                    "this model's maximum context length is " + std::to_string(room) + " tokens; the input has " +
                      std::to_string(result.ids.size()));
  return result;
}

void start_tasks(call& of, served_model& model, const char* prefix, std::vector<generate_request> requests, task_answer answer) {
  const std::string id = of.in.names.next(prefix);
  start(of, model, id, std::move(requests), [&](const generation& running) {
    return std::make_unique<whole_answer>(of.exchange, running, id, std::move(answer));
  });
}

} // namespace

void run_tasks(call& of, served_model& model, const char* prefix, std::vector<generate_request> requests, task_answer answer) {
  admit(of, model, requests.size(), requests.front());
  start_tasks(of, model, prefix, std::move(requests), std::move(answer));
}

void run_text_tasks(call& of, served_model& model, const char* prefix, const json_node& input, generate_request common, task_filler fill,
                    task_answer answer) {
  auto sources = read_inputs(model, input);
  admit(of, model, sources.size(), common);
  const auto make = [&model, sources = std::move(sources), common = std::move(common), fill = std::move(fill)] {
    std::vector<generate_request> requests;
    for (const auto& one : sources) fill(requests.emplace_back(common), encode(model, one));
    return requests;
  };
  prepare(of, model, make, [&model, prefix, answer = std::move(answer)](call& with, std::vector<generate_request> requests) mutable {
    start_tasks(with, model, prefix, std::move(requests), std::move(answer));
  });
}

generate_request result_request(call& of, const served_model& model, const json_node& body) {
  auto common = read_generation_fields(body, of.who, model.file(), 0, of.drawn.seed).request;
  common.tokens_max = 0;
  common.want_logits = true;
  return common;
}

void run_result_tasks(call& of, served_model& model, const char* prefix, const json_node& body, task_answer answer) {
  const auto fill = [has_segments = model.file().spec.embedding.segments > 1](generate_request& to, const encoding& from) {
    to.prompt = from.ids;
    if (has_segments && std::ranges::any_of(from.segments, [](uint8_t segment) { return segment > 0; }))
      to.segments.assign(from.segments.begin(), from.segments.end());
  };
  run_text_tasks(of, model, prefix, body.get("input"), result_request(of, model, body), fill, std::move(answer));
}

} // namespace troupe::service
