// Goal: what is generated under a constraint is a text that it allows, whatever the model says; the same bytes for any threads, batch and
// fault that is survived; and a constraint that cannot be is refused before anything runs.
#include "actors/engine.hpp"
#include "actors/live_troupe.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

namespace troupe {
namespace {

using json = nlohmann::json;

const std::vector<std::string>& schemas() {
  static const std::vector<std::string> all{
    R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 8},
      "age": {"type": "integer", "minimum": 0, "maximum": 130}},
      "required": ["name", "age"], "additionalProperties": false})",
    R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 4})",
    R"({"type": "array", "prefixItems": [{"type": "boolean"}, {"type": "null"}], "items": false, "minItems": 2})",
    R"({"enum": ["red", "green", 3, null, {"a": [1]}]})",
    R"({"const": {"x": "y"}})",
    R"({"type": ["string", "null"], "minLength": 2, "maxLength": 4})",
    R"({"type": "integer", "minimum": -50, "exclusiveMaximum": 300, "multipleOf": 5})",
    R"({"type": "number", "minimum": 0, "maximum": 1})",
    R"({"type": "number"})",
    R"({"type": "boolean"})",
    R"({"type": "string", "pattern": "^[a-c]{2}-[0-9]+x?$"})",
    R"({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}, "c": {"type": "null"}}, "required": ["b"]})",
    R"({"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": {"type": "boolean"}})",
    R"({"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}]})",
    R"({"oneOf": [{"type": "object",
      "properties": {"k": {"const": "a"}, "x": {"type": "integer"}}, "required": ["k", "x"]},
      {"type": "object", "properties": {"k": {"const": "b"}}, "required": ["k"]}]})",
    R"({"allOf": [{"type": "integer", "minimum": 5}, {"maximum": 77}]})",
    R"({"$defs": {"n": {"type": "object",
      "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}},
      "required": ["v", "next"]}}, "$ref": "#/$defs/n"})",
    R"({"type": "string", "maxLength": 20})",
    R"({"type": "array", "items": {"type": "object",
      "properties": {"id": {"type": "integer", "minimum": 1}, "tags": {"type": "array", "items": {"enum": ["x", "yy"]}, "maxItems": 2}},
      "required": ["id", "tags"]}, "maxItems": 2})",
    R"({"type": "object",
      "properties": {"when": {"type": "string", "format": "date"}, "who": {"type": "string", "format": "uuid"}},
      "required": ["when", "who"]})",
  };
  return all;
}

bool is_type(const json& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer() || (value.is_number() && value.get<double>() == std::floor(value.get<double>()));
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  if (type == "boolean") return value.is_boolean();
  return value.is_null();
}

size_t characters(const std::string& text) {
  return size_t(std::ranges::count_if(text, [](char c) { return (uint8_t(c) & 0xc0) != 0x80; }));
}

/// What JSON Schema says, of the keywords above; written for this test, apart from what makes constraints.
bool is_valid(const json& schema, const json& value, const json& root) {
  if (schema.is_boolean()) return schema.get<bool>();
  const auto holds = [&](const json& one) { return is_valid(one, value, root); };
  const auto count = [&](const char* key) { return std::ranges::count_if(schema[key], holds); };
  if (schema.contains("$ref") && !holds(root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1))))) return false;
  if (schema.contains("anyOf") && count("anyOf") == 0) return false;
  if (schema.contains("oneOf") && count("oneOf") != 1) return false;
  if (schema.contains("allOf") && count("allOf") != ptrdiff_t(schema["allOf"].size())) return false;
  if (schema.contains("const") && value != schema["const"]) return false;
  if (schema.contains("enum") && std::ranges::find(schema["enum"], value) == schema["enum"].end()) return false;
  if (schema.contains("type")) {
    const auto types = schema["type"].is_array() ? schema["type"] : json::array({schema["type"]});
    if (std::ranges::none_of(types, [&](const json& type) { return is_type(value, type); })) return false;
  }
  if (value.is_number()) {
    const double number = value.get<double>();
    if (schema.contains("minimum") && number < schema["minimum"].get<double>()) return false;
    if (schema.contains("maximum") && number > schema["maximum"].get<double>()) return false;
    if (schema.contains("exclusiveMaximum") && number >= schema["exclusiveMaximum"].get<double>()) return false;
    if (schema.contains("multipleOf") && std::fmod(number, schema["multipleOf"].get<double>()) != 0) return false;
  }
  if (value.is_string()) {
    const auto text = value.get<std::string>();
    const size_t length = characters(text);
    if (length < schema.value("minLength", size_t{0}) || length > schema.value("maxLength", size_t{1} << 40)) return false;
    if (schema.contains("pattern") && !std::regex_search(text, std::regex(schema["pattern"].get<std::string>()))) return false;
    if (schema.value("format", "") == "date" && !std::regex_match(text, std::regex("\\d{4}-\\d\\d-\\d\\d"))) return false;
    if (schema.value("format", "") == "uuid" && !std::regex_match(text, std::regex("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")))
      return false;
  }
  if (value.is_array()) {
    if (value.size() < schema.value("minItems", size_t{0}) || value.size() > schema.value("maxItems", size_t{1} << 40)) return false;
    const auto first = schema.value("prefixItems", json::array());
    for (size_t i = 0; i < value.size(); ++i)
      if (!is_valid(i < first.size() ? first[i] : schema.value("items", json(true)), value[i], root)) return false;
  }
  if (value.is_object()) {
    const auto properties = schema.value("properties", json::object());
    for (const auto& name : schema.value("required", json::array()))
      if (!value.contains(name.get<std::string>())) return false;
    const auto additional = schema.value("additionalProperties", json(true));
    for (const auto& [name, member] : value.items())
      if (!is_valid(properties.contains(name) ? properties[name] : additional, member, root)) return false;
  }
  return true;
}

std::shared_ptr<const model_file> tiny() {
  static const auto model = open_model(testing::write_tiny_model({.context = 512}));
  return model;
}

/// Random weights; what ends a value is made likelier, or texts would go on until there is no room.
generate_request request_for(constraint_kind kind, const std::string& text, uint64_t seed) {
  generate_request request;
  request.prompt = {260, 270, uint32_t(280 + seed % 20)};
  request.tokens_max = 400;
  request.sampling.temperature = 1.5f;
  request.sampling.seed = seed;
  // The vocabulary begins with three special tokens and all bytes.
  for (const char byte : std::string("\"}],:")) request.sampling.logit_bias.emplace_back(3 + uint8_t(byte), 3.0f);
  request.constraint = text_constraint{kind, text};
  return request;
}

struct outcome {
  std::vector<uint32_t> tokens;
  std::string text, error;
  finish_reason reason = finish_reason::error;
  std::vector<token_logprob> logprobs;
  bool operator==(const outcome& other) const {
    return tokens == other.tokens && text == other.text && error == other.error && reason == other.reason;
  }
};

void take(outcome& to, const generation_event& event) {
  to.text += event.text;
  if (event.kind == event_kind::token) to.tokens.push_back(event.token);
  if (event.kind == event_kind::token) to.logprobs.insert(to.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
  if (event.kind != event_kind::finished) return;
  to.reason = event.reason;
  to.error = event.error;
}

std::vector<outcome> run_all(engine& runtime, const std::vector<generate_request>& requests) {
  auto from = runtime.connect();
  std::map<uint64_t, outcome> outcomes;
  for (const auto& request : requests) outcomes[from.submit(request)];
  while (const auto event = from.next()) take(outcomes[event->request], *event);
  std::vector<outcome> all;
  for (auto& [id, one] : outcomes) all.push_back(std::move(one));
  return all;
}

outcome run_one(engine& runtime, const generate_request& request) { return run_all(runtime, {request}).front(); }

std::vector<generate_request> hundred_requests() {
  std::vector<generate_request> requests;
  for (uint64_t seed = 0; seed < 5; ++seed)
    for (const auto& schema : schemas()) requests.push_back(request_for(constraint_kind::json_schema, schema, seed));
  return requests;
}

std::string error_of(engine& runtime, const generate_request& request) {
  auto from = runtime.connect();
  try {
    from.submit(request);
    return {};
  } catch (const input_error& error) {
    return error.what();
  }
}

} // namespace

TEST_CASE("a hundred generations by twenty schemas all parse and are valid, with the same bytes for any threads and batch") {
  const auto requests = hundred_requests();
  engine runtime{tiny(), {.threads = 2}};
  const auto outcomes = run_all(runtime, requests);
  size_t complete = 0;
  std::set<std::string> texts;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const auto& one = outcomes[i];
    INFO(requests[i].constraint->text << " gives " << one.text << " " << one.error);
    CHECK((one.reason == finish_reason::stop || one.reason == finish_reason::length));
    texts.insert(one.text);
    if (one.reason == finish_reason::length) continue;
    ++complete;
    const auto schema = json::parse(requests[i].constraint->text);
    const auto value = json::parse(one.text, nullptr, false);
    REQUIRE_FALSE(value.is_discarded());
    CHECK(is_valid(schema, value, schema));
  }
  CHECK(complete >= 95);
  CHECK(texts.size() > 50);
  engine other{tiny(), {.threads = 1, .shards = 3, .step_rows_max = 5, .prefill_chunk = 2}};
  CHECK(run_all(other, requests) == outcomes);
  for (const size_t i : {0u, 12u, 47u}) CHECK(run_one(other, requests[i]) == outcomes[i]);
}

TEST_CASE("a text ends when it is complete, and at its end token only where it may") {
  engine runtime{tiny(), {.threads = 1}};
  auto request = request_for(constraint_kind::regex, "[a-z]{3}", 1);
  auto one = run_one(runtime, request);
  CHECK(one.reason == finish_reason::stop);
  CHECK(one.text.size() == 3);
  CHECK(tiny()->words.end_of_generation == std::vector<uint32_t>{2});
  CHECK(std::ranges::find(one.tokens, 2u) == one.tokens.end()); // Nothing else could follow, so there is no end token.
  // Where it may go on, the end token ends it; one that is ten times likelier than all else comes as soon as it may, not before.
  request = request_for(constraint_kind::regex, "[a-z]{3,}", 1);
  request.sampling.logit_bias.emplace_back(2, 50.0f);
  one = run_one(runtime, request);
  CHECK(one.reason == finish_reason::stop);
  CHECK(one.text.size() >= 3);
  CHECK(one.tokens.back() == 2);
  // Without end tokens it goes on until there is no room.
  request.ignore_end_of_generation = true;
  one = run_one(runtime, request);
  CHECK(one.reason == finish_reason::length);
  CHECK(one.tokens.size() == 400);
  // Without room for a whole text it ends with what there is.
  request = request_for(constraint_kind::json_schema, schemas()[0], 3);
  request.tokens_max = 4;
  one = run_one(runtime, request);
  CHECK(one.reason == finish_reason::length);
  CHECK(one.text.starts_with("{"));
  CHECK(one.tokens.size() == 4);
  // The empty text.
  one = run_one(runtime, request_for(constraint_kind::regex, "", 1));
  CHECK(one.reason == finish_reason::stop);
  CHECK(one.tokens.empty());
}

TEST_CASE("grammars and any JSON object constrain, too") {
  engine runtime{tiny(), {.threads = 2}};
  std::vector<generate_request> requests;
  for (uint64_t seed = 0; seed < 10; ++seed) {
    requests.push_back(request_for(constraint_kind::json_object, "", seed));
    requests.push_back(request_for(constraint_kind::grammar, "root ::= \"(\" (root | [a-c] \";\")? \")\"\n", seed));
  }
  size_t complete = 0;
  for (size_t i = 0; const auto& one : run_all(runtime, requests)) {
    INFO(one.text << one.error);
    if (one.reason == finish_reason::stop) {
      ++complete;
      if (i % 2 == 0) CHECK(json::parse(one.text, nullptr, false).is_object());
      else CHECK(std::ranges::count(one.text, '(') == std::ranges::count(one.text, ')'));
    } else {
      CHECK(one.reason == finish_reason::length);
    }
    ++i;
  }
  CHECK(complete >= 10);
}

TEST_CASE("a constraint that cannot be is refused when the request is submitted") {
  engine runtime{tiny(), {.threads = 1}};
  CHECK(error_of(runtime, request_for(constraint_kind::regex, "(?=a)", 1)).find("the regular expression at byte") != std::string::npos);
  CHECK(error_of(runtime, request_for(constraint_kind::json_schema, R"({"not": {}})", 1)).find("#/not") != std::string::npos);
  CHECK(error_of(runtime, request_for(constraint_kind::grammar, "root ::= \"\xff\"", 1)).find("UTF-8") != std::string::npos);
  auto search = request_for(constraint_kind::json_object, "", 1);
  search.sampling = {};
  search.beams = beam_options{.beams = 2};
  CHECK(error_of(runtime, search) == "a beam search knows no constraint");
  engine without{open_model(testing::write_tiny_model({.with_tokenizer = false})), {.threads = 1}};
  CHECK(error_of(without, request_for(constraint_kind::json_object, "", 1)) == "a constraint needs a model with a vocabulary");
}

TEST_CASE("probabilities are those of the model, as if there were no constraint") {
  engine runtime{tiny(), {.threads = 1}};
  auto request = request_for(constraint_kind::regex, "[xyz]+", 5);
  request.tokens_max = 1;
  request.want_logprobs = true;
  request.top_logprobs = 3;
  const auto constrained = run_one(runtime, request);
  request.constraint.reset();
  const auto freely = run_one(runtime, request);
  REQUIRE(constrained.logprobs.size() == 4);
  REQUIRE(freely.logprobs.size() == 4);
  for (size_t i = 1; i < 4; ++i) { // The likeliest of the model, whatever was chosen.
    CHECK(constrained.logprobs[i].token == freely.logprobs[i].token);
    CHECK(constrained.logprobs[i].logprob == freely.logprobs[i].logprob);
  }
  CHECK(constrained.text.find_first_not_of("xyz") == std::string::npos);
}

namespace {

std::map<uint64_t, outcome> run_disturbed(const std::string& path, uint32_t at, bool& injected) {
  static const auto parts = make_parts(tiny(), {.shards = 2});
  testing::live_troupe troupe(parts);
  std::map<uint64_t, outcome> outcomes;
  auto& tracker = troupe.tracker();
  const auto now = caf::actor_clock::time_point{};
  uint64_t first = 0;
  for (const size_t i : {0u, 16u, 18u, 19u}) {
    const auto id = tracker.submit(to_message(request_for(constraint_kind::json_schema, schemas()[i], i), *parts, now));
    if (outcomes.empty()) first = id;
    outcomes[id - first];
  }
  injected = path.empty();
  while (!tracker.pending().empty()) {
    if (!injected && outcomes[3].tokens.size() >= at) {
      auto target = path;
      if (path.back() == '*')
        for (const auto& known : troupe.paths())
          if (known.starts_with(path.substr(0, path.size() - 1))) target = known;
      if (const auto found = troupe.find(target)) caf::anon_send_exit(found, caf::exit_reason::kill);
      injected = true;
    }
    if (!tracker.receive(std::chrono::seconds(10))) break;
    for (; !tracker.events().empty(); tracker.events().pop_front()) {
      const auto& event = tracker.events().front();
      take(outcomes[event.request - first], event);
    }
  }
  troupe.shut_down();
  return outcomes;
}

} // namespace

TEST_CASE("whichever actor is killed, texts under a constraint are the same") {
  bool injected = false;
  const auto undisturbed = run_disturbed("", 0, injected);
  for (const auto& [id, one] : undisturbed) CHECK(one.reason == finish_reason::stop);
  for (const std::string path : {"/sequences/*", "/sequences", "/scheduler", "/replica/0/layer/1/head/0", "/replica/0/output",
                                 "/supervisor"})
    for (const uint32_t at : {1u, 13u, 30u}) {
      INFO(path << " at " << at);
      CHECK(run_disturbed(path, at, injected) == undisturbed);
      CHECK(injected);
    }
}

} // namespace troupe
