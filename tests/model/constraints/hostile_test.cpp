// Goal: whatever a constraint says, compiling it and finding masks with it ends after a bounded number of steps, in a result or one error.
// Each of these took minutes, gigabytes or the whole stack of a compiler that did not count what it does.
#include "constraint_support.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include <functional>
#include <set>

using namespace troupe;

namespace {

constexpr auto regex = constraint_kind::regex, grammar = constraint_kind::grammar, schema = constraint_kind::json_schema;

/// "a,b,c" of what is made for 0, 1, ...
std::string list_of(int count, const std::function<std::string(int)>& make) {
  std::string list;
  for (int i = 0; i < count; ++i) list += (i > 0 ? "," : "") + make(i);
  return list;
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

std::string property(int i, const std::string& of) { return "\"p" + std::to_string(i) + "\":" + of; }

} // namespace

TEST_CASE("a oneOf whose alternatives contain it is compiled") {
  const std::string expression = R"({"$defs": {"e": {"oneOf": [
    {"type": "object", "properties": {"op": {"const": "neg"}, "arg": {"$ref": "#/$defs/e"}}, "required": ["op", "arg"]},
    {"type": "object", "properties": {"op": {"const": "not"}, "arg": {"$ref": "#/$defs/e"}}, "required": ["op", "arg"]},
    {"type": "integer"}]}}, "$ref": "#/$defs/e"})";
  const auto matcher = matcher_of(schema, expression);
  CHECK(accepts(matcher, R"({"op": "neg", "arg": {"op": "not", "arg": 5}})"));
  CHECK_FALSE(accepts(matcher, R"({"op": "neg", "arg": {"op": "and", "arg": 5}})"));
  CHECK(contains(error_of(schema, R"({"$defs": {"e": {"oneOf": [{"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/e"}}},
    {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#/$defs/e"}, "b": {}}}]}}, "$ref": "#/$defs/e"})"), "not certain"));
  CHECK(contains(error_of(schema, R"({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"})"),
                 "without end"));
  CHECK(contains(error_of(schema, "{\"$defs\":{" + list_of(200, [](int i) {
    return property(i, "{\"$ref\":\"#/$defs/p" + std::to_string(i + 1) + "\"}");
  }) + ",\"p200\":{}},\"$ref\":\"#/$defs/p0\"}"), "nested too deeply"));
}

TEST_CASE("the same schema becomes the same language, wherever its parts are in memory") {
  const std::string text = R"({"allOf": [{"required": ["v"], "properties": {"v": {"type": "object", "properties": {"a": {"const": 1}}}}},
    {"required": ["v"], "properties": {"v": {"type": "object", "properties": {"b": {"const": 2}}, "additionalProperties": true}}},
    {"properties": {"v": {"additionalProperties": true, "properties": {"c": {"const": 3}}}}}]})";
  std::mt19937 random(1);
  std::vector<std::string> kept;
  for (int i = 0; i < 200; ++i) {
    // Blocks of the sizes that are about to be asked for, some of which are given back: so addresses come in another order.
    for (int j = 0; j < 40; ++j) kept.emplace_back(random() % 800, 'x');
    for (int j = 0; j < 20; ++j) kept.erase(kept.begin() + long(random() % kept.size()));
    const auto matcher = matcher_of(schema, text);
    REQUIRE(accepts(matcher, R"({"v": {"a": 1}})"));
    REQUIRE_FALSE(accepts(matcher, R"({"v": {"b": 2, "a": 1}})"));
  }
}

TEST_CASE("schemas that would take long to combine are refused") {
  const auto names = [](int count) { return list_of(count, [](int i) { return "\"n" + std::to_string(i) + "\""; }); };
  const auto values = [](int count) { return list_of(count, [](int i) { return std::to_string(i); }); };
  CHECK(contains(error_of(schema, "{\"required\":[" + names(80'000) + "],\"anyOf\":[" + repeated("{},", 199) + "{}]}"), "too large"));
  CHECK(contains(error_of(schema, "{\"required\":[" + names(60'000) + "],\"additionalProperties\":{}}"), "too large"));
  CHECK(error_of(schema, "{\"allOf\":[{\"enum\":[" + values(20'000) + "]},{\"enum\":[" + values(20'000) + "]}]}").empty());
  CHECK(contains(error_of(schema, "{\"oneOf\":[" + list_of(250, [&](int) { return "{\"enum\":[" + values(700) + "]}"; }) + "]}"), "not certain"));
  CHECK(contains(error_of(schema, "{\"oneOf\":[" + list_of(200, [](int i) {
    return "{\"enum\":[" + list_of(500, [i](int j) { return std::to_string(1000 * i + j); }) + "]}";
  }) + "]}"), "too large"));
  const std::string long_name(100'000, 'n');
  CHECK(contains(error_of(schema, "{\"properties\":{\"" + long_name + "\":{\"properties\":{" +
                          list_of(40'000, [](int i) { return property(i, "{}"); }) + "}}}}"), "too large"));
  CHECK(contains(error_of(schema, "{\"$defs\":{" + list_of(20'000, [](int i) { return property(i, "{}"); }) + "},\"anyOf\":[" +
                          list_of(250, [](int) { return "{\"allOf\":[" + repeated("{\"$ref\":\"#/$defs/p19999\"},", 60) + "true]}"; }) + "]}"),
                 "too large"));
}

TEST_CASE("parts of a schema are refused before too much of them has been made") {
  for (const std::string part : {R"({"type":"string","pattern":"^a{0,130000}$"})", R"({"type":"array","minItems":200000})",
                                 R"({"type":"integer","multipleOf":997,"minimum":1})", R"({"type":"string","maxLength":5000})"})
    CHECK(contains(error_of(schema, "{\"properties\":{" + list_of(1000, [&](int i) { return property(i, part); }) + "}}"), "too large"));
  CHECK(contains(error_of(schema, R"({"type":"string","pattern":"^(?:){130000}$"})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type":"string","pattern":"^(?:(?:){300}){300}$"})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type":"string","pattern":"^(?:a?){3000}$"})"), "too large"));
  const std::string bars(1200, '|');
  CHECK(accepts(matcher_of(schema, R"({"type":"string","pattern":"^(?:)" + bars + ")(?:" + bars + ")(?:" + bars + ")$\"}"), "\"\""));
  CHECK(contains(error_of(schema, "{\"enum\":[\"" + std::string(200'000, 'a') + "\"],\"pattern\":\"^(?:a?){500}a*$\"}"), "too large"));
}

TEST_CASE("grammars and regular expressions are refused before too much of them has been made") {
  const auto empties = [](int count) { return list_of(count, [](int) { return "\"\""; }); };
  auto choice = empties(20'000);
  for (auto& c : choice)
    if (c == ',') c = '|';
  CHECK(contains(error_of(grammar, "root ::= \"a\" (" + choice + "){130000}"), "too large"));
  CHECK(contains(error_of(grammar, "root ::= \"a\"" + repeated("?", 100'000)), "too many repetitions"));
  CHECK(contains(error_of(regex, "(?:(?:){1000}){1000}a"), "too large"));
  CHECK(contains(error_of(regex, repeated("a?", 5000)), "too large"));
  const std::string bars(1200, '|');
  CHECK(accepts(matcher_of(regex, "(?:" + bars + ")(?:" + bars + ")(?:" + bars + ")a"), "a"));
  const auto chain_of = [](int length) {
    std::string chain = "root ::= a" + std::to_string(length) + "\na0 ::= \"x\"\n";
    for (int i = 1; i <= length; ++i) chain += "a" + std::to_string(i) + "::=a" + std::to_string(i - 1) + "\n";
    return chain;
  };
  CHECK(accepts(matcher_of(grammar, chain_of(900)), "x"));
  CHECK(error_of(grammar, chain_of(16'000)).empty());
}

TEST_CASE("a mask is found where what follows can be read in very many ways") {
  // Which of the last 24 characters were of a set: 2^24 states, of which tokens meet few.
  std::vector<std::string> words;
  std::mt19937 random(5);
  for (int i = 0; i < 3000; ++i) {
    std::string word(1 + random() % 24, ' ');
    for (auto& c : word) c = char('a' + random() % 26);
    words.push_back(word);
  }
  const auto index = bytes_and(words);
  for (const std::string text : {".*[aeulrst].{23}", ".*[aeulrst].{23}\"?", "(?:[a-z]{2})*(?:[a-z]{3})*[aeulrst].{9}"}) {
    const auto compiled = compile({regex, text});
    constraint_matcher matcher(compiled, index);
    for (int step = 0; step < 3; ++step) {
      const auto& mask = matcher.allowed();
      for (size_t i = 0; i < words.size(); i += 100) {
        constraint_matcher other(compiled, bytes_and({}));
        // Not read in `matcher` itself, which would know it then.
        bool goes_on = true;
        for (int before = 0; before < step; ++before) goes_on &= other.advance(std::string_view("the"));
        CHECK(has_token(mask, uint32_t(256 + i)) == (goes_on && other.advance(std::string_view(words[i]))));
      }
      REQUIRE(matcher.advance(std::string_view("the")));
    }
  }
}

TEST_CASE("a mask that takes too much memory ends in one error, whatever was known before") {
  // After an "a" as many positions are open as there are characters in a token: nearly every path of a trie is a state of its own.
  std::vector<std::string> words;
  std::mt19937 random(5);
  for (int i = 0; i < 60'000; ++i) {
    std::string word(40, 'a');
    for (auto& c : word) c = random() % 2 == 0 ? '"' : 'a';
    words.push_back(word);
  }
  const auto index = bytes_and(words);
  const auto compiled = compile({regex, "x*(?:[\"a]*\"[\"a]{60}|b)"});
  const auto place_of_error = [&](bool with_masks) {
    constraint_matcher matcher(compiled, index);
    int read = 0;
    try {
      for (; read < 4; ++read) {
        if (with_masks || read == 3) matcher.allowed();
        const bool goes_on = matcher.advance(std::string_view("x"));
        REQUIRE(goes_on);
      }
    } catch (const input_error& error) {
      CHECK(contains(error.what(), "too ambiguous"));
      return read;
    }
    return -1;
  };
  CHECK(place_of_error(true) == 0);
  CHECK(place_of_error(false) == 3);
}

TEST_CASE("a text may nest the rules of its constraint deeply, but not without end") {
  const auto compiled = compile({grammar, "root ::= \"(\" root \")\" \"!\" | \"x\""});
  constraint_matcher matcher(compiled, bytes_and({}));
  uint64_t read = 0;
  try {
    for (bool goes_on = true; goes_on && read < 1'000'000; ++read) goes_on = matcher.advance(std::string_view("("));
  } catch (const input_error& error) {
    CHECK(contains(error.what(), "nested too deeply"));
  }
  CHECK(read > 50'000);
  CHECK(read < 200'000);
}

TEST_CASE("what is too long, too large or nested too deeply is refused") {
  CHECK(contains(error_of(schema, R"({"type": "string", "maxLength": 1000000000})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type": "string", "minLength": 1000000000})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type": "string", "pattern": "^(a|b)*$", "maxLength": 1000000000})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type": "array", "maxItems": 1000000000})"), "too large"));
  CHECK(contains(error_of(schema, R"({"type": "array", "minItems": 1000000000})"), "too large"));
  std::string many = "{\"type\": \"object\", \"properties\": {";
  for (int i = 0; i < 100'000; ++i) many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":{}";
  CHECK(contains(error_of(schema, many + "}}"), "1048576 bytes"));
  std::string deep;
  for (int i = 0; i < 10'000; ++i) deep += "{\"items\":";
  CHECK(contains(error_of(schema, deep), "nested too deeply"));
  // 4 to the 20th combinations.
  std::string choices = "{\"allOf\": [";
  for (int i = 0; i < 20; ++i) {
    choices += i > 0 ? "," : "";
    choices += R"({"anyOf": [{"minimum": 1}, {"minimum": 2}, {"minimum": 3}, {"minimum": 4}]})";
  }
  CHECK(contains(error_of(schema, choices + "]}"), "combinations"));
  std::string optional = "root ::= ";
  for (int i = 0; i < 1000; ++i) optional += "a" + std::to_string(i) + "? ";
  for (int i = 0; i < 1000; ++i) optional += "\na" + std::to_string(i) + " ::= a" + std::to_string((i + 1) % 1000) + "? \"x\"";
  CHECK(contains(error_of(grammar, optional), "left-recursive"));
}
