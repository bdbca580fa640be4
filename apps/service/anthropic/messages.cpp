// POST /v1/messages, /v1/messages/count_tokens
#include "apps/service/anthropic/endpoints.hpp"
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "apps/service/api/usage.hpp"
#include "apps/service/serving/answer_log.hpp"
#include "apps/service/serving/prepare.hpp"
#include "apps/service/serving/prompts.hpp"
#include "apps/service/serving/start.hpp"

#include <memory>
#include <utility>

namespace troupe::service {
namespace {

json usage_json(const token_usage& usage) {
  return {{"input_tokens", usage.prompt - usage.cached},
          {"cache_creation_input_tokens", 0},
          {"cache_read_input_tokens", usage.cached},
          {"output_tokens", usage.generated}};
}

class message_answer : public generation_form {
public:
  message_answer(call& of, const generation& running, std::string id, bool streams, tool_choice tools, std::vector<std::string> stops)
    : running_(running), drawn_(of.drawn), id_(std::move(id)), tools_(std::move(tools)), stops_(std::move(stops)), streams_(streams),
      log_(of.log) {}

  void added(size_t) override {
    if (!streams_) return;
    begin();
    send_text(tools_.use == tool_use::none ? one().text.size() : text_before_calls(one().text, sent_));
  }

  void completed() override {
    const auto parsed = answer_of(one(), tools_);
    const std::string stopped_by = stop_string_of(one(), stops_, running_.model().words());
    json blocks = json::array();
    if (!parsed.text.empty() || parsed.calls.empty()) blocks.push_back({{"type", "text"}, {"text", parsed.text}});
    for (const auto& call : parsed.calls)
      blocks.push_back({{"type", "tool_use"},
                        {"id", drawn_.id("toolu_", blocks.size())},
                        {"name", call.name},
                        {"input", json::parse(call.arguments)}});
    const json reason = parsed.calls.empty() ? stop_reason(stopped_by) : json("tool_use");
    const json stop = stopped_by.empty() ? json() : json(stopped_by);
    const auto usage = usage_of(running_.choices(), 1);
    if (!streams_) {
      json whole = head();
      whole["content"] = std::move(blocks);
      whole["stop_reason"] = reason;
      whole["stop_sequence"] = stop;
      whole["usage"] = usage_json(usage);
      log_->respond(to_text(whole));
      return log_->end();
    }
    begin();
    if (parsed.calls.empty()) send_text(one().text.size());
    end_text();
    for (const auto& block : blocks)
      if (block["type"] == "tool_use") send_call(block);
    send("message_delta", {{"delta", {{"stop_reason", reason}, {"stop_sequence", stop}}}, {"usage", usage_json(usage)}});
    send("message_stop", json::object());
    log_->end();
  }

  void failed(const api_error& error) override { log_->fail(error); }

private:
  const choice& one() const { return running_.choices().front(); }

  json head() const {
    return {{"id", id_}, {"type", "message"}, {"role", "assistant"}, {"model", running_.model().name()}, {"content", json::array()},
            {"stop_reason", nullptr}, {"stop_sequence", nullptr}};
  }

  json stop_reason(const std::string& stopped_by) const {
    switch (one().reason.value_or(finish_reason::cancelled)) {
    case finish_reason::length: return "max_tokens";
    case finish_reason::stop: return stopped_by.empty() ? "end_turn" : "stop_sequence";
    default: return "end_turn";
    }
  }

  void send(const char* name, json event) {
    json typed{{"type", name}};
    typed.update(event);
    log_->send(name, to_text(typed));
  }

  void begin() {
    if (std::exchange(has_begun_, true)) return;
    json message = head();
    message["usage"] = usage_json({one().prompt_tokens, 0, 0});
    send("message_start", {{"message", std::move(message)}});
    send("ping", json::object());
  }

  void send_text(size_t end) {
    if (end <= sent_) return;
    if (!std::exchange(has_text_, true))
      send("content_block_start", {{"index", blocks_}, {"content_block", {{"type", "text"}, {"text", ""}}}});
    send("content_block_delta",
         {{"index", blocks_}, {"delta", {{"type", "text_delta"}, {"text", one().text.substr(sent_, end - sent_)}}}});
    sent_ = end;
  }

  void end_text() {
    if (std::exchange(has_text_, false)) send("content_block_stop", {{"index", blocks_++}});
  }

  void send_call(const json& block) {
    json empty = block;
    empty["input"] = json::object();
    send("content_block_start", {{"index", blocks_}, {"content_block", empty}});
    send("content_block_delta",
         {{"index", blocks_}, {"delta", {{"type", "input_json_delta"}, {"partial_json", to_text(block["input"])}}}});
    send("content_block_stop", {{"index", blocks_++}});
  }

  const generation& running_;
  drawn_facts drawn_;
  std::string id_;
  tool_choice tools_;
  std::vector<std::string> stops_;
  bool streams_;
  std::shared_ptr<answer_log> log_;
  bool has_begun_ = false, has_text_ = false; // A block of text is open.
  size_t sent_ = 0, blocks_ = 0;              // Bytes of the text; blocks that have ended.
};

conversation read_conversation(const json_node& body) {
  conversation talk;
  if (const auto system = body.find("system")) talk.messages.push_back(text_message("system", anthropic_system(*system)));
  for (auto& message : anthropic_messages(body.get("messages"))) talk.messages.push_back(std::move(message));
  if (const auto tools = body.find("tools")) talk.tools = anthropic_tools(*tools);
  return talk;
}

} // namespace

void messages(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  auto who = of.who;
  if (const auto metadata = body.find("metadata"); metadata && !who.is_known) {
    if (const auto user = metadata->find("user_id")) {
      if (user->text().size() > generate_request::tenant_bytes_max) user->fail("is too long");
      who.tenant = user->text();
    }
  }
  body.get("max_tokens");
  auto fields = read_generation_fields(body, who, model.file(), model.context(), of.drawn.seed);
  if (fields.choices != 1) body.get("n").fail("must be 1");
  admit(of, model, 1, fields.request);
  auto talk = read_conversation(body);
  const auto tools = read_tool_choice(body, talk.tools, fields.request);
  read_constraint(body, fields.request);
  const auto begin = [&model, fields = std::move(fields), tools](call& with, std::vector<uint32_t> prompt) mutable {
    fields.request.prompt = std::move(prompt);
    const std::string id = with.drawn.id("msg_");
    start(with, model, id, {fields.nth(0)}, [&](const generation& running) {
      return std::make_unique<message_answer>(with, running, id, fields.streams, tools, fields.request.stop_strings);
    });
  };
  prepare(of, model, [&model, talk = std::move(talk)] { return chat_prompt(model, talk); }, begin);
}

void count_tokens(call& of, const json_node& body) {
  auto& model = find_model(of, body);
  const auto count = [&model, talk = read_conversation(body)] {
    const std::string text = chat_text(model, talk);
    model.check_length(text.size());
    return model.words().encode(text, special_tokens::in_text).size();
  };
  prepare(of, model, count, [](call& with, size_t tokens) { respond_json(*with.exchange, to_text({{"input_tokens", tokens}})); });
}

} // namespace troupe::service
