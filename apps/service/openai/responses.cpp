// POST /v1/responses
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/logprob_text.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "apps/service/api/usage.hpp"
#include "apps/service/openai/endpoints.hpp"
#include "apps/service/openai/response_store.hpp"
#include "apps/service/serving/kept_requests.hpp"
#include "apps/service/serving/prepare.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace troupe::service {
namespace {

class response_answer : public generation_form {
public:
  /// waits: whoever asked gets the object once it has ended, instead of events.
  response_answer(call& asked, const generation& running, std::shared_ptr<stored_response> of, tool_choice tools, bool has_logprobs,
                  bool waits)
    : in_(asked.in), drawn_(asked.drawn), running_(running), of_(std::move(of)), tools_(std::move(tools)), has_logprobs_(has_logprobs),
      waits_(waits), message_id_(drawn_.id("msg_")) {
    of_->emit("response.created", {{"response", of_->object}});
    of_->emit("response.in_progress", {{"response", of_->object}});
  }

  void added(size_t) override {
    send_text(tools_.use == tool_use::none ? one().text.size() : text_before_calls(one().text, sent_));
  }

  void completed() override {
    const auto parsed = answer_of(one(), tools_);
    if (parsed.calls.empty()) send_text(one().text.size());
    end_text();
    json calls = json::array();
    for (const auto& call : parsed.calls) send_call(call);
    auto& object = of_->object;
    const auto reason = one().reason.value_or(finish_reason::cancelled);
    std::string event = "response.completed", status = "completed";
    if (reason == finish_reason::length) {
      event = "response.incomplete";
      status = "incomplete";
      object["incomplete_details"] = {{"reason", "max_output_tokens"}};
    } else if (reason == finish_reason::cancelled) {
      event = "response.incomplete";
      status = "cancelled";
    }
    object["status"] = status;
    object["output"] = output_;
    object["completed_at"] = running_.ended();
    const auto usage = usage_of(running_.choices(), 1);
    object["usage"] = {{"input_tokens", usage.prompt},
                       {"input_tokens_details", {{"cached_tokens", usage.cached}}},
                       {"output_tokens", usage.generated},
                       {"output_tokens_details", {{"reasoning_tokens", 0}}},
                       {"total_tokens", usage.prompt + usage.generated}};
    remember(parsed);
    of_->emit(event, {{"response", object}});
    if (waits_) of_->log->respond(to_text(object));
    end();
  }

  void failed(const api_error& error) override {
    auto& object = of_->object;
    object["status"] = "failed";
    object["error"] = {{"code", error.code}, {"message", error.what()}};
    of_->emit("response.failed", {{"response", object}});
    of_->log->fail(error, false); // Readers of events have heard of it.
    end();
  }

private:
  const choice& one() const { return running_.choices().front(); }

  void end() {
    of_->end();
    if (of_->is_stored) in_.responses->ended(of_);
    else in_.responses->remove(of_->id);
  }

  /// For a response that continues this one.
  void remember(const parsed_answer& parsed) {
    json message{{"role", "assistant"}, {"content", parsed.text}};
    for (const auto& item : output_)
      if (item["type"] == "function_call")
        message["tool_calls"].push_back({{"id", item["call_id"]},
                                         {"type", "function"},
                                         {"function", {{"name", item["name"]}, {"arguments", json::parse(std::string(item["arguments"]))}}}});
    of_->conversation.push_back(to_value(message));
  }

  json message(const std::string& status, json content) const {
    return {{"id", message_id_}, {"type", "message"}, {"status", status}, {"content", std::move(content)}, {"role", "assistant"}};
  }

  json part(const std::string& text, json logprobs) const {
    return {{"type", "output_text"}, {"annotations", json::array()}, {"logprobs", std::move(logprobs)}, {"text", text}};
  }

  json logprobs(size_t first) const {
    json list = json::array();
    if (has_logprobs_)
      for (size_t i = first; i < one().logprobs.size(); ++i) list.push_back(chat_logprob(one(), i, running_.model().words()));
    return list;
  }

  json place() const { return {{"item_id", message_id_}, {"output_index", 0}, {"content_index", 0}}; }

  void begin_text() {
    if (std::exchange(has_text_, true)) return;
    of_->emit("response.output_item.added", {{"output_index", 0}, {"item", message("in_progress", json::array())}});
    json added = place();
    added["part"] = part("", json::array());
    of_->emit("response.content_part.added", std::move(added));
  }

  void send_text(size_t end) {
    if (end <= sent_) return;
    begin_text();
    json delta = place();
    delta["delta"] = one().text.substr(sent_, end - sent_);
    delta["logprobs"] = logprobs(tokens_sent_);
    of_->emit("response.output_text.delta", std::move(delta));
    sent_ = end;
    tokens_sent_ = one().logprobs.size();
  }

  void end_text() {
    if (!has_text_) return;
    const std::string text = one().text.substr(0, sent_);
    json done = place();
    done["text"] = text;
    done["logprobs"] = logprobs(0);
    of_->emit("response.output_text.done", std::move(done));
    json part_done = place();
    part_done["part"] = part(text, logprobs(0));
    of_->emit("response.content_part.done", std::move(part_done));
    output_.push_back(message(one().reason == finish_reason::stop ? "completed" : "incomplete", json::array({part(text, logprobs(0))})));
    of_->emit("response.output_item.done", {{"output_index", 0}, {"item", output_.back()}});
  }

  void send_call(const tool_call& call) {
    const size_t index = output_.size();
    json item{{"id", drawn_.id("fc_", index)}, {"type", "function_call"}, {"status", "in_progress"}, {"arguments", ""},
              {"call_id", drawn_.id("call_", index)}, {"name", call.name}};
    of_->emit("response.output_item.added", {{"output_index", index}, {"item", item}});
    of_->emit("response.function_call_arguments.delta", {{"item_id", item["id"]}, {"output_index", index}, {"delta", call.arguments}});
    of_->emit("response.function_call_arguments.done",
              {{"item_id", item["id"]}, {"output_index", index}, {"name", call.name}, {"arguments", call.arguments}});
    item["status"] = "completed";
    item["arguments"] = call.arguments;
    of_->emit("response.output_item.done", {{"output_index", index}, {"item", item}});
    output_.push_back(std::move(item));
  }

  context& in_;
  drawn_facts drawn_;
  const generation& running_;
  std::shared_ptr<stored_response> of_;
  tool_choice tools_;
  bool has_logprobs_, waits_, has_text_ = false;
  std::string message_id_;
  json output_ = json::array();
  size_t sent_ = 0, tokens_sent_ = 0;
};

/// What the client is told of its own request, with defaults filled in.
json response_object(const std::string& id, int64_t created, const json_node& body, const served_model& model, bool is_background) {
  const auto echo = [&](const char* name, json otherwise) {
    const auto found = body.find(name);
    return found ? to_json(found->value()) : otherwise;
  };
  return {{"id", id},
          {"object", "response"},
          {"created_at", created},
          {"status", "in_progress"},
          {"background", is_background},
          {"error", nullptr},
          {"incomplete_details", nullptr},
          {"instructions", echo("instructions", nullptr)},
          {"max_output_tokens", echo("max_output_tokens", nullptr)},
          {"model", model.name()},
          {"output", json::array()},
          {"parallel_tool_calls", echo("parallel_tool_calls", true)},
          {"previous_response_id", echo("previous_response_id", nullptr)},
          {"reasoning", {{"effort", nullptr}, {"summary", nullptr}}},
          {"service_tier", "default"},
          {"store", echo("store", true)},
          {"temperature", echo("temperature", 1.0)},
          {"text", echo("text", {{"format", {{"type", "text"}}}})},
          {"tool_choice", echo("tool_choice", "auto")},
          {"tools", echo("tools", json::array())},
          {"top_p", echo("top_p", 1.0)},
          {"truncation", "disabled"},
          {"usage", nullptr},
          {"user", echo("user", nullptr)},
          {"metadata", echo("metadata", json::object())}};
}

bool wants_logprobs(const json_node& body) {
  const auto include = body.find("include");
  if (!include) return false;
  for (const auto& one : include->elements())
    if (one.text() == "message.output_text.logprobs") return true;
  return false;
}

/// That of a response that is continued. What is kept brings it along, since the other one may not be.
json_value::array conversation_before(call& of, const std::string& id) {
  if (of.kept && of.kept->is_restored) {
    const json_file before("the conversation before", of.kept->facts.conversation());
    return std::get<json_value::array>(before.value().content);
  }
  const auto found = of.in.responses->find(id, of.who);
  if (!found || !found->is_over)
    throw api_error(400, "previous_response_not_found", "there is no such response that has ended", "previous_response_id");
  if (of.kept && of.in.kept->has_journal()) of.kept->facts.set_conversation(to_text(to_json(json_value{found->conversation})));
  return found->conversation;
}

void make_response(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  auto fields = read_generation_fields(body, of.who, model.file(), model.context(), of.drawn.seed);
  if (fields.choices != 1) body.get("n").fail("must be 1");
  const bool is_background = body.flag_or("background", false);
  admit(of, model, 1, fields.request);
  conversation talk;
  auto stored = std::make_shared<stored_response>();
  if (const auto before = body.find("previous_response_id")) stored->conversation = conversation_before(of, before->text());
  for (auto& message : response_input(body.get("input"))) stored->conversation.push_back(std::move(message));
  stored->inputs = stored->conversation.size();
  for (const auto& message : stored->conversation) stored->bytes += to_text(to_json(message)).size();
  if (const auto instructions = body.find("instructions")) talk.messages.push_back(text_message("system", instructions->text()));
  talk.messages.insert(talk.messages.end(), stored->conversation.begin(), stored->conversation.end());
  if (const auto tools = body.find("tools")) talk.tools = response_tools(*tools);
  const auto tools = read_tool_choice(body, talk.tools, fields.request);
  read_constraint(body, fields.request);
  fields.request.top_logprobs = uint32_t(integer_field(body, {"top_logprobs"}, 0, generate_request::top_logprobs_max).value_or(0));
  fields.request.want_logprobs = wants_logprobs(body) || fields.request.top_logprobs > 0;
  stored->id = of.drawn.id("resp_");
  stored->log = of.log;
  stored->tenant = of.who.tenant;
  stored->is_stored = body.flag_or("store", true) || of.kept;
  stored->has_readers = stored->is_stored || fields.streams;
  stored->object = response_object(stored->id, of.drawn.created, body, model, is_background);
  const auto begin = [&model, fields = std::move(fields), stored, tools, is_background](call& with, std::vector<uint32_t> prompt) mutable {
    fields.request.prompt = std::move(prompt);
    with.in.responses->add(stored);
    if (is_background) with.log->respond(to_text(stored->object)); // Who does not stream it need not wait.
    try {
      stored->running = start(with, model, stored->id, {fields.nth(0)}, [&](const generation& made) {
        return std::make_unique<response_answer>(with, made, stored, tools, fields.request.want_logprobs,
                                                 !fields.streams && !is_background);
      });
    } catch (...) {
      with.in.responses->remove(stored->id);
      throw;
    }
  };
  prepare(of, model, [&model, talk = std::move(talk)] { return chat_prompt(model, talk); }, begin);
}

/// One that was read back, and whose prompt cannot be made any more.
void store_failed(call& of, const std::string& reason) {
  auto stored = std::make_shared<stored_response>();
  stored->id = of.drawn.id("resp_");
  stored->log = of.log;
  stored->tenant = of.who.tenant;
  stored->is_over = true;
  stored->object = {{"id", stored->id}, {"object", "response"}, {"created_at", of.drawn.created}, {"status", "failed"},
                    {"error", {{"code", "not_restored"}, {"message", reason}}}, {"output", json::array()}};
  of.in.responses->add(stored);
  of.in.responses->ended(stored);
}

} // namespace

void create_response(call& of, const json_node& body) {
  if (!of.kept || !of.kept->is_restored) return make_response(of, body);
  try {
    make_response(of, body);
  } catch (const std::exception& error) {
    store_failed(of, error.what());
    throw;
  }
}

} // namespace troupe::service
