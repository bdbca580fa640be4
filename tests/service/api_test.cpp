// Goal: what clients send is read as they mean it, or refused with the field that is wrong; what they get has the form of their API.
#include "apps/service/api/api_error.hpp"
#include "apps/service/api/chat_messages.hpp"
#include "apps/service/api/constraint_fields.hpp"
#include "apps/service/api/fields.hpp"
#include "apps/service/api/generation_fields.hpp"
#include "apps/service/api/identifiers.hpp"
#include "apps/service/api/json_text.hpp"
#include "apps/service/api/tool_calls.hpp"
#include "apps/service/api/usage.hpp"
#include "support/catch.hpp"

#include <limits>
#include <string>

namespace troupe::service {
namespace {

model_file small_model() {
  model_file model;
  model.spec.vocabulary = 100;
  return model;
}

generation_fields read(const std::string& text, const caller& who = {}) {
  const json_file body("body", text);
  return read_generation_fields(body.root(), who, small_model(), 50, 7);
}

/// The place that the error names; "none": there was no error.
std::string wrong_field(const std::string& text) {
  try {
    read(text);
  } catch (const json_error& error) {
    return error.place;
  }
  return "none";
}

template <class Read> json read_as_json(const std::string& text, Read reader) {
  const json_file file("body", text);
  return to_json(json_value{reader(file.root())});
}

} // namespace

TEST_CASE("fields that generate are read, whichever API they are from", "[api]") {
  const auto fields = read(R"({"temperature": 0.5, "top_p": 0.25, "top_k": 7, "min_p": 0.125, "seed": 3, "max_completion_tokens": 9,
    "stop": ["a", "b"], "ignore_eos": true, "n": 2, "stream": true, "stream_options": {"include_usage": true}, "presence_penalty": -1,
    "frequency_penalty": 2, "repetition_penalty": 1.5, "logit_bias": {"5": -100, "6": 2.5}, "deadline_ms": 1500, "max_queue_ms": 20,
    "priority": 4, "user": "ann", "background": true, "min_tokens": 2})");
  const auto& request = fields.request;
  CHECK(request.sampling.temperature == 0.5f);
  CHECK(request.sampling.top_p == 0.25f);
  CHECK(request.sampling.top_k == 7);
  CHECK(request.sampling.min_p == 0.125f);
  CHECK(request.sampling.presence_penalty == -1);
  CHECK(request.sampling.frequency_penalty == 2);
  CHECK(request.sampling.repetition_penalty == 1.5f);
  CHECK(request.sampling.logit_bias == std::vector<std::pair<uint32_t, float>>{{5, -std::numeric_limits<float>::infinity()}, {6, 2.5f}});
  CHECK(request.tokens_max == 9);
  CHECK(request.stop_strings == std::vector<std::string>{"a", "b"});
  CHECK(request.ignore_end_of_generation);
  CHECK(request.deadline == std::chrono::milliseconds(1500));
  CHECK(request.start_deadline == std::chrono::milliseconds(20));
  CHECK(request.priority == 4);
  CHECK(request.tenant == "ann");
  CHECK(request.rules.tokens_min == 2);
  CHECK(fields.choices == 2);
  CHECK(fields.streams);
  CHECK(fields.includes_usage);
  CHECK(fields.nth(0).sampling.seed == 3);
  CHECK(fields.nth(1).sampling.seed != fields.nth(0).sampling.seed);
}

TEST_CASE("fields that are absent or null have OpenAI's defaults, and no seed is drawn twice", "[api]") {
  const auto fields = read(R"({"temperature": null, "stop": null, "unknown": {"a": 1}})");
  CHECK(fields.request.sampling.temperature == 1);
  CHECK(fields.request.sampling.top_p == 1);
  CHECK(fields.request.sampling.top_k == 0);
  CHECK(fields.request.sampling.min_p == 0);
  CHECK(fields.request.tokens_max == 50);
  CHECK(fields.request.stop_strings.empty());
  CHECK(fields.choices == 1);
  CHECK_FALSE(fields.request.deadline);
  CHECK(read("{}").seed == 7); // The one that was drawn for it.
  identifiers names;
  const auto one = names.draw(1), other = names.draw(1);
  CHECK((one.seed != other.seed && one.name != other.name));
  CHECK(read(R"({"seed": -5})").seed == read(R"({"seed": -5})").seed);
}

TEST_CASE("a field that is wrong is named", "[api]") {
  CHECK(wrong_field(R"({"temperature": 3})") == "temperature");
  CHECK(wrong_field(R"({"temperature": "hot"})") == "temperature");
  CHECK(wrong_field(R"({"top_p": -0.1})") == "top_p");
  CHECK(wrong_field(R"({"max_tokens": 0})") == "max_tokens");
  CHECK(wrong_field(R"({"max_tokens": 1.5})") == "max_tokens");
  CHECK(wrong_field(R"({"max_tokens": 1e300})") == "max_tokens");
  CHECK(wrong_field(R"({"n": 129})") == "n");
  CHECK(wrong_field(R"({"stop": [1]})") == "stop[0]");
  CHECK(wrong_field(R"({"stop": {}})") == "stop");
  CHECK(wrong_field(R"({"logit_bias": {"100": 1}})") == "logit_bias.100");
  CHECK(wrong_field(R"({"logit_bias": {"x": 1}})") == "logit_bias.x");
  CHECK(wrong_field(R"({"logit_bias": {"1": 101}})") == "logit_bias.1");
  CHECK(wrong_field(R"({"deadline_ms": 0})") == "deadline_ms");
  CHECK(wrong_field(R"({"service_tier": "gold"})") == "service_tier");
  CHECK(wrong_field(R"({"stream": 1})") == "stream");
  CHECK(wrong_field(R"({"user": ")" + std::string(300, 'x') + R"("})") == "user");
  CHECK(wrong_field(R"({"max_tokens": 3.0})") == "none");
}

TEST_CASE("whose work a request is says its key; where there are no keys, its user", "[api]") {
  const caller with_key{"acme", 2, true, 3};
  const auto known = read(R"({"user": "ann", "priority": 50})", with_key);
  CHECK(known.request.tenant == "acme");
  CHECK(known.request.tenant_weight == 2);
  CHECK(known.request.priority == 3);
  CHECK(read(R"({"service_tier": "priority"})").request.priority == 10);
  CHECK(read(R"({"service_tier": "flex"})").request.priority == -10);
}

TEST_CASE("messages of OpenAI become those of chat templates", "[api]") {
  const auto made = read_as_json(R"([
    {"role": "developer", "content": "Be short."},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
    {"role": "assistant", "content": null, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"x\": 1}"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "2"}])", openai_messages);
  CHECK(made == json::parse(R"([
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "ab"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
    {"role": "tool", "content": "2", "tool_call_id": "c1"}])"));
}

TEST_CASE("messages of Anthropic become the same, results of tools messages of their own", "[api]") {
  const auto made = read_as_json(R"([
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"x": 1}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "2"}]}]}])",
                                 anthropic_messages);
  CHECK(made == json::parse(R"([
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]},
    {"role": "tool", "tool_call_id": "t1", "content": "2"}])"));
}

TEST_CASE("input of the Responses API becomes the same, whether text or items", "[api]") {
  CHECK(read_as_json(R"("hi")", response_input) == json::parse(R"([{"role": "user", "content": "hi"}])"));
  const auto made = read_as_json(R"([
    {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
    {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
    {"type": "function_call", "call_id": "c2", "name": "g", "arguments": "no JSON"},
    {"type": "function_call_output", "call_id": "c1", "output": "2"}])", response_input);
  CHECK(made == json::parse(R"([
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "", "tool_calls": [
      {"id": "c1", "type": "function", "function": {"name": "f", "arguments": {}}},
      {"id": "c2", "type": "function", "function": {"name": "g", "arguments": "no JSON"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "2"}])"));
}

TEST_CASE("messages that cannot be meant are refused with their place", "[api]") {
  const auto place = [](const std::string& text) {
    const json_file file("body", text);
    try {
      openai_messages(file.root());
    } catch (const json_error& error) {
      return error.place;
    }
    return std::string("none");
  };
  CHECK(place(R"([])").empty());
  CHECK(place(R"([{"content": "x"}])") == "[0]");
  CHECK(place(R"([{"role": "robot", "content": "x"}])") == "[0].role");
  CHECK(place(R"([{"role": "user"}])") == "[0]");
  CHECK(place(R"([{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])") == "[0].content[0].type");
}

TEST_CASE("a template gets the conversation, and variables of the request do not replace it", "[api]") {
  conversation talk;
  talk.messages.push_back(text_message("user", "hi"));
  talk.more = std::get<json_value::object>(to_value(json::parse(R"({"messages": [], "enable_thinking": false, "bos_token": "x"})")).content);
  CHECK(to_json(template_context(talk, "<s>", "</s>")) ==
        json::parse(R"({"enable_thinking": false, "bos_token": "x", "messages": [{"role": "user", "content": "hi"}], "tools": null,
                        "add_generation_prompt": true, "eos_token": "</s>"})"));
}

namespace {

const std::vector<std::string> known{"f", "g"};

} // namespace

TEST_CASE("calls of tools are found in what models say", "[api]") {
  const auto qwen = parse_tool_calls("I look.\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": 1}}\n</tool_call>\n"
                                     "<tool_call>{\"name\": \"g\", \"arguments\": {}}</tool_call>", known);
  CHECK(qwen.text == "I look.");
  REQUIRE(qwen.calls.size() == 2);
  CHECK(qwen.calls[0].name == "f");
  CHECK(qwen.calls[0].arguments == R"({"x":1})");
  CHECK(qwen.calls[1].arguments == "{}");
  const auto llama = parse_tool_calls(R"(  {"name": "f", "parameters": {"x": "y"}} )", known);
  REQUIRE(llama.calls.size() == 1);
  CHECK(llama.calls[0].arguments == R"({"x":"y"})");
  CHECK(parse_tool_calls(R"([TOOL_CALLS] [{"name": "f", "arguments": {}}, {"name": "g", "arguments": {}}])", known).calls.size() == 2);
  for (const auto* text : {"no call", "{\"name\": \"f\"}", "{\"a\": 1}", "<tool_call>{broken</tool_call>", "[1, 2]", "[]", "{", "",
                           "{\"name\": \"unknown\", \"arguments\": {}}"}) {
    CHECK(parse_tool_calls(text, known).calls.empty());
    CHECK(parse_tool_calls(text, known).text == text);
  }
}

TEST_CASE("a call that nests more deeply than JSON may here is text", "[api]") {
  const auto nested = [](size_t depth) {
    return R"({"name": "f", "arguments": {"a": )" + std::string(depth, '[') + std::string(depth, ']') + "}}";
  };
  CHECK(parse_tool_calls(nested(50), known).calls.size() == 1);
  CHECK(parse_tool_calls(nested(1'000'000), known).calls.empty());
}

TEST_CASE("no part of a call is sent as text while an answer grows", "[api]") {
  const std::string whole = "Well, <b> <tool_call>{\"name\": \"f\", \"arguments\": {}}</tool_call>";
  size_t sent = 0;
  for (size_t length = 0; length <= whole.size(); ++length) {
    const size_t now = text_before_calls(std::string_view(whole).substr(0, length), sent);
    REQUIRE(now >= sent);
    sent = now;
  }
  CHECK(whole.substr(0, sent) == "Well, <b> ");
  CHECK(text_before_calls(" {\"name\"", 0) == 0);
  CHECK(text_before_calls("a <tool", 0) == 2);
  CHECK(text_before_calls("a < b", 0) == 5);
}

TEST_CASE("the schema of a call names the tools that may be called", "[api]") {
  const auto tools = std::get<json_value::array>(to_value(json::parse(R"([
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object", "$defs": {"d": {"type": "string"}}}}},
    {"type": "function", "function": {"name": "g", "parameters": {"type": "object"}}}])")).content);
  const auto both = json::parse(call_schema(tools, ""));
  CHECK(both["anyOf"].size() == 2);
  CHECK(both["$defs"]["d"]["type"] == "string");
  const auto one = json::parse(call_schema(tools, "g"));
  CHECK(one["properties"]["name"]["const"] == "g");
  CHECK(one["additionalProperties"] == false);
  CHECK_THROWS_AS(call_schema(tools, "h"), json_error);
}

TEST_CASE("a constraint is read from each API's field, and never dropped", "[api]") {
  const auto constraint = [](const std::string& text) {
    const json_file body("body", text);
    generate_request request;
    read_constraint(body.root(), request);
    return request.constraint;
  };
  using kind = constraint_kind;
  CHECK_FALSE(constraint(R"({"response_format": {"type": "text"}})"));
  CHECK(constraint(R"({"response_format": {"type": "json_object"}})") == text_constraint{kind::json_object, ""});
  CHECK(constraint(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "null"}}}})") ==
        text_constraint{kind::json_schema, R"({"type":"null"})"});
  CHECK(constraint(R"({"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "null"}}}})") ==
        text_constraint{kind::json_schema, R"({"type":"null"})"});
  CHECK(constraint(R"({"guided_regex": "a+"})") == text_constraint{kind::regex, "a+"});
  CHECK(constraint(R"({"grammar": "root ::= \"a\""})") == text_constraint{kind::grammar, "root ::= \"a\""});
  CHECK(constraint(R"({"structured_outputs": {"regex": "b"}})") == text_constraint{kind::regex, "b"});
  CHECK(constraint(R"({"guided_choice": ["yes", "n\"o"]})") == text_constraint{kind::grammar, R"(root ::= "yes" | "n\"o")"});
  CHECK(constraint(R"({"structured_outputs": {"choice": ["a"]}})") == text_constraint{kind::grammar, R"(root ::= "a")"});
  CHECK_THROWS_AS(constraint(R"({"response_format": {"type": "xml"}})"), json_error);
  CHECK_THROWS_AS(constraint(R"({"response_format": {"type": "json_schema"}})"), json_error);
  CHECK_THROWS_AS(constraint(R"({"regex": "a", "grammar": "b"})"), json_error);
}

TEST_CASE("a constraint that cannot be enforced is an error of the field that has it", "[api]") {
  const auto place = [](const std::string& text) {
    const json_file body("body", text);
    generate_request request;
    try {
      read_constraint(body.root(), request);
    } catch (const json_error& error) {
      CHECK_FALSE(error.reason.empty());
      return error.place;
    }
    return std::string("none");
  };
  CHECK(place(R"({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "nul"}}}})") ==
        "response_format.json_schema.schema");
  CHECK(place(R"({"response_format": {"type": "json_object", "schema": {"type": "nul"}}})") == "response_format.schema");
  CHECK(place(R"({"text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "nul"}}}})") == "text.format.schema");
  CHECK(place(R"({"response_format": {"type": "regex", "pattern": "(a"}})") == "response_format.pattern");
  CHECK(place(R"({"response_format": {"type": "grammar", "grammar": "root ::= a"}})") == "response_format.grammar");
  CHECK(place(R"({"guided_regex": "(a"})") == "guided_regex");
  CHECK(place(R"({"structured_outputs": {"json": {"type": "nul"}}})") == "structured_outputs.json");
  CHECK(place(R"({"structured_outputs": {"json": {"type": "null"}}})") == "none");
}

TEST_CASE("a choice of tools is read from each API's field; a call that is required is a constraint", "[api]") {
  const auto tools = std::get<json_value::array>(
    to_value(json::parse(R"([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])")).content);
  const auto choose = [](const std::string& text, const json_value::array& from, bool constrained) {
    const json_file body("body", text);
    generate_request request;
    const auto use = read_tool_choice(body.root(), from, request);
    CHECK(request.constraint.has_value() == constrained);
    CHECK(use.names.size() == (use.use == tool_use::none ? 0 : 1));
    return use.use;
  };
  CHECK(choose("{}", {}, false) == tool_use::none);
  CHECK(choose("{}", tools, false) == tool_use::allowed);
  CHECK(choose(R"({"tool_choice": "none"})", tools, false) == tool_use::none);
  CHECK(choose(R"({"tool_choice": "required"})", tools, true) == tool_use::required);
  CHECK(choose(R"({"tool_choice": {"type": "any"}})", tools, true) == tool_use::required);
  CHECK(choose(R"({"tool_choice": {"type": "function", "function": {"name": "f"}}})", tools, true) == tool_use::required);
  CHECK(choose(R"({"tool_choice": {"type": "tool", "name": "f"}})", tools, true) == tool_use::required);
  CHECK_THROWS_AS(choose(R"({"tool_choice": {"type": "function", "function": {"name": "g"}}})", tools, false), json_error);
  CHECK_THROWS_AS(choose(R"({"tool_choice": "sometimes"})", tools, false), json_error);
}

TEST_CASE("errors have the form of their API", "[api]") {
  const api_error error(404, "model_not_found", "no such model", "model");
  CHECK(json::parse(error_body(error, api_form::openai)) ==
        json::parse(R"({"error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": "model_not_found"}})"));
  CHECK(json::parse(error_body(error, api_form::anthropic)) ==
        json::parse(R"({"type": "error", "error": {"type": "not_found_error", "message": "no such model"}})"));
}

TEST_CASE("usage counts the prompt of several choices once", "[api]") {
  std::vector<choice> all(4);
  for (auto& one : all) {
    one.prompt_tokens = 10;
    one.prompt_tokens_cached = 3;
    one.tokens = {1, 2};
  }
  const auto usage = usage_of(all, 2); // Two prompts with two choices each.
  CHECK(usage.prompt == 20);
  CHECK(usage.cached == 6);
  CHECK(usage.generated == 8);
}

TEST_CASE("an object of many members is made in a time that grows with their number", "[api]") {
  json_value::object many;
  for (int i = 0; i < 300'000; ++i) many.push_back({std::to_string(i), {uint64_t(i)}});
  const json made = to_json(json_value{std::move(many)}); // With a look at all others for each it would be minutes.
  CHECK(made.size() == 300'000);
  CHECK(made.front() == 0);
}

TEST_CASE("text that is not UTF-8 is sent as U+FFFD", "[api]") {
  CHECK(to_text({{"a", "x\xFF"}}) == "{\"a\":\"x\xEF\xBF\xBD\"}");
}

} // namespace troupe::service
