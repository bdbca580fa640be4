// POST /v1/chat/completions
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/logprob_text.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "apps/service/openai/completion_answer.hpp"
#include "apps/service/openai/endpoints.hpp"
#include "apps/service/serving/prepare.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"

#include <utility>

namespace troupe::service {
namespace {

class chat_answer : public completion_answer {
public:
  chat_answer(call& of, const generation& running, completion_facts facts, tool_choice tools, bool has_logprobs)
    : completion_answer(of, running, std::move(facts)), drawn_(of.drawn), tools_(std::move(tools)), has_logprobs_(has_logprobs),
      states_(running.choices().size()) {}

  void added(size_t index) override {
    if (!facts().streams) return;
    begin(index);
    const auto& text = at(index).text;
    send_text(index, tools_.use == tool_use::none ? text.size() : text_before_calls(text, states_[index].text));
  }

  void finished(size_t index) override {
    if (!facts().streams) return;
    begin(index);
    const json calls = calls_of(answer_of(at(index), tools_), index);
    if (calls.empty()) send_text(index, at(index).text.size()); // Else the text is what precedes the calls; it has been sent.
    for (size_t i = 0; i < calls.size(); ++i) {
      json delta{{"index", i}};
      delta.update(calls[i]);
      send_choice({{"index", index}, {"delta", {{"tool_calls", json::array({delta})}}}, {"logprobs", nullptr}, {"finish_reason", nullptr}});
    }
    send_choice({{"index", index}, {"delta", json::object()}, {"logprobs", nullptr},
                 {"finish_reason", calls.empty() ? finish_reason_of(at(index)) : json("tool_calls")}});
  }

private:
  struct sent {
    bool has_begun = false;
    size_t text = 0, tokens = 0; // How much of the choice has been sent.
  };

  void begin(size_t index) {
    if (std::exchange(states_[index].has_begun, true)) return;
    send_choice({{"index", index},
                 {"delta", {{"role", "assistant"}, {"content", ""}, {"refusal", nullptr}}},
                 {"logprobs", nullptr},
                 {"finish_reason", nullptr}});
  }

  json logprobs(size_t index, size_t first) const {
    if (!has_logprobs_) return nullptr;
    json content = json::array();
    for (size_t i = first; i < at(index).logprobs.size(); ++i)
      content.push_back(chat_logprob(at(index), i, running().model().words()));
    return {{"content", std::move(content)}, {"refusal", nullptr}};
  }

  void send_text(size_t index, size_t end) {
    auto& state = states_[index];
    const bool has_tokens = has_logprobs_ && state.tokens < at(index).logprobs.size();
    if (end <= state.text && !has_tokens) return;
    end = std::max(end, state.text);
    json delta{{"content", at(index).text.substr(state.text, end - state.text)}};
    send_choice({{"index", index}, {"delta", std::move(delta)}, {"logprobs", logprobs(index, state.tokens)}, {"finish_reason", nullptr}});
    state.text = end;
    state.tokens = at(index).logprobs.size();
  }

  json calls_of(const parsed_answer& parsed, size_t index) const {
    const std::string of_choice = drawn_.id("call_", index) + "_";
    json calls = json::array();
    for (const auto& one : parsed.calls)
      calls.push_back({{"id", of_choice + std::to_string(calls.size())},
                       {"type", "function"},
                       {"function", {{"name", one.name}, {"arguments", one.arguments}}}});
    return calls;
  }

  json choice_object(size_t index) const override {
    json message{{"role", "assistant"}, {"content", at(index).text}, {"refusal", nullptr}};
    json reason = finish_reason_of(at(index));
    if (const auto parsed = answer_of(at(index), tools_); !parsed.calls.empty()) {
      message["content"] = parsed.text.empty() ? json() : json(parsed.text);
      message["tool_calls"] = calls_of(parsed, index);
      reason = "tool_calls";
    }
    return {{"index", index}, {"message", std::move(message)}, {"logprobs", logprobs(index, 0)}, {"finish_reason", reason}};
  }

  drawn_facts drawn_;
  tool_choice tools_;
  bool has_logprobs_;
  std::vector<sent> states_;
};

} // namespace

void chat_completions(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  auto fields = read_generation_fields(body, of.who, model.file(), model.context(), of.drawn.seed);
  admit(of, model, fields.choices, fields.request);
  conversation talk = openai_conversation(body);
  const auto tools = read_tool_choice(body, talk.tools, fields.request);
  read_constraint(body, fields.request);
  fields.request.want_logprobs = body.flag_or("logprobs", false);
  fields.request.top_logprobs = uint32_t(integer_field(body, {"top_logprobs"}, 0, generate_request::top_logprobs_max).value_or(0));
  if (fields.request.top_logprobs > 0 && !fields.request.want_logprobs) body.get("top_logprobs").fail("needs logprobs to be true");
  completion_facts facts{of.drawn.id("chatcmpl-"), "chat.completion", "chat.completion.chunk", model.name(), of.drawn.created,
                         fields.streams, fields.includes_usage, fields.choices};
  const auto begin = [&model, fields = std::move(fields), facts = std::move(facts), tools](call& with,
                                                                                           std::vector<uint32_t> prompt) mutable {
    fields.request.prompt = std::move(prompt);
    std::vector<generate_request> requests;
    for (uint32_t i = 0; i < fields.choices; ++i) requests.push_back(fields.nth(i));
    const std::string id = facts.id;
    start(with, model, id, std::move(requests), [&](const generation& running) {
      return std::make_unique<chat_answer>(with, running, std::move(facts), tools, fields.request.want_logprobs);
    });
  };
  prepare(of, model, [&model, talk = std::move(talk)] { return chat_prompt(model, talk); }, begin);
}

} // namespace troupe::service
