#include "constraint_support.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include <algorithm>

using namespace troupe;

namespace {

constexpr auto regex = constraint_kind::regex, grammar = constraint_kind::grammar, schema = constraint_kind::json_schema;

} // namespace

TEST_CASE("a grammar in llama.cpp's notation is read as llama.cpp reads it") {
  const auto lists = matcher_of(grammar, R"x(# A list.
root ::= "- " item ("\n- " item)* "\n"   # One or more.
item ::= [A-Z] [a-z]{1,3} |
  "\x41\u00e9\"" | [^A-Za-z\n]+ ("ab")?
)x");
  CHECK(accepts(lists, "- Abc\n"));
  CHECK(accepts(lists, "- Abc\n- Zz\n"));
  CHECK(accepts(lists, "- Aé\"\n"));
  CHECK(accepts(lists, "- 字!ab\n"));
  CHECK_FALSE(accepts(lists, "- A\n"));
  CHECK_FALSE(accepts(lists, "- Abcde\n"));
  CHECK_FALSE(accepts(lists, "- Abc"));
  CHECK_FALSE(accepts(lists, "- 1abab\n"));
  const auto nested = matcher_of(grammar, "root ::= ( \"a\"\n  | \"(\" root \")\"\n) | .{2}\n");
  CHECK(accepts(nested, "((a))"));
  CHECK(accepts(nested, "字\n"));
  CHECK_FALSE(accepts(nested, "((a"));
  CHECK_FALSE(accepts(nested, "字"));
  const auto repeated = matcher_of(grammar, "root ::= \"ab\"{2,} [\\]\\-x^]? \"\"");
  CHECK(accepts(repeated, "abab"));
  CHECK(accepts(repeated, "ababab]"));
  CHECK(accepts(repeated, "abab^"));
  CHECK_FALSE(accepts(repeated, "ab"));
  CHECK_FALSE(accepts(repeated, "abb"));
}

TEST_CASE("a grammar that cannot be is refused with the place") {
  CHECK(contains(error_of(grammar, "root ::= x"), "there is no rule x"));
  CHECK(contains(error_of(grammar, "a ::= \"b\""), "there is no rule root"));
  CHECK(contains(error_of(grammar, "root ::= \"a"), "at byte 11"));
  CHECK(contains(error_of(grammar, "root ::= (\"a\""), "wanted )"));
  CHECK(contains(error_of(grammar, "root ::= [b-a]"), "wrong order"));
  CHECK(contains(error_of(grammar, "root ::= \"a\"\nroot ::= \"b\""), "was there before"));
  CHECK(contains(error_of(grammar, "root ::= root \"a\" | \"b\""), "root is left-recursive"));
  CHECK(contains(error_of(grammar, "root ::= a \"b\"\na ::= \"x\"* c\nc ::= root | \"c\""), "left-recursive"));
  CHECK(contains(error_of(grammar, "root ::= \"a\" root"), "no text satisfies"));
  CHECK(contains(error_of(grammar, "root ::= \"\xff\""), "not valid UTF-8"));
  CHECK(contains(error_of(grammar, "root ::= \"\\ud800\""), "no such character"));
  CHECK(error_of(grammar, "root ::= \"a\" root | b\nb ::= \"x\" | c root\nc ::= \"c\"").empty());
}

TEST_CASE("a regular expression that is not supported is refused with the place") {
  for (const std::string text : {"(?=a)", "a(?!b)", "(?<n>a)", "(a)\\1", "\\bfoo", "a++", "a**", "[", "(a", "a)", "*", "a{2,1}", "\\p{L}",
                                 "[b-a]",
                                 "a^b", "(a$)", "{", "]", "\\", "\\q", "[\\d-z]", "[^\\x00-\\u{10ffff}]", "\\u{110000}", "a{999999999}"})
    CHECK(contains(error_of(regex, text), "the regular expression at byte"));
  CHECK(contains(error_of(regex, "((a{1000}){1000}){1000}"), "too large"));
  CHECK(contains(error_of(regex, "a{262144}b"), "too large"));
  CHECK(error_of(regex, "a{10000}").empty());
}

TEST_CASE("keywords of a schema that are not known are refused with their place, and annotations are not") {
  CHECK(contains(error_of(schema, R"({"properties": {"a": {"patternProperties": {}}}})"), "#/properties/a/patternProperties"));
  CHECK(contains(error_of(schema, R"({"items": {"anyOf": [{}, {"not": {}}]}})"), "#/items/anyOf/1/not"));
  CHECK(contains(error_of(schema, R"({"properties": {"a/b": {"if": true}}})"), "#/properties/a~1b/if"));
  for (const std::string keyword : {"uniqueItems", "minProperties", "contains", "dependentRequired", "unevaluatedProperties", "then",
                                    "propertyNames",
                                    "$anchor", "nullable", "contentEncoding", "additionalItems", "anything"})
    CHECK(contains(error_of(schema, "{\"" + keyword + "\": true}"), "#/" + keyword + ": this keyword is not supported"));
  CHECK(error_of(schema, R"({"title": "t", "description": "d", "default": 1, "examples": [], "$schema": "s", "$id": "i", "$comment": "c",
    "deprecated": true, "readOnly": true, "writeOnly": false, "$defs": {"unused": {"not": {}}}, "type": "null"})").empty());
}

TEST_CASE("a schema that cannot be enforced is refused with the reason") {
  CHECK(contains(error_of(schema, "{"), "not valid JSON"));
  CHECK(contains(error_of(schema, "[]"), "wanted a schema"));
  CHECK(contains(error_of(schema, "false"), "no text satisfies"));
  CHECK(contains(error_of(schema, R"({"type": "integer", "minimum": 3, "maximum": 2})"), "no text satisfies"));
  CHECK(contains(error_of(schema, R"({"required": ["a"], "additionalProperties": false})"), "no text satisfies"));
  CHECK(contains(error_of(schema, R"({"$ref": "#"})"), "without end"));
  CHECK(contains(error_of(schema, R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})"), "no text satisfies"));
  CHECK(contains(error_of(schema, R"({"$ref": "#/$defs/a"})"), "there is no #/$defs/a"));
  CHECK(contains(error_of(schema, R"({"$ref": "other.json"})"), "only references within the schema"));
  CHECK(contains(error_of(schema, R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})"), "not certain that only one"));
  CHECK(contains(error_of(schema, R"({"oneOf": [{"type": "string"}, {"type": "string", "minLength": 3}]})"), "not certain that only one"));
  CHECK(contains(error_of(schema, R"({"type": "number", "multipleOf": 0.01})"), "#/multipleOf"));
  CHECK(contains(error_of(schema, R"({"type": "string", "format": "uri"})"), "the format uri is not supported; there are date"));
  CHECK(contains(error_of(schema, R"x({"type": "string", "pattern": "(?=a)"})x"), "the regular expression at byte"));
  CHECK(contains(error_of(schema, R"({"type": "string", "pattern": "a", "format": "date"})"), "pattern and format"));
  CHECK(contains(error_of(schema, R"({"type": "text"})"), "#/type: wanted null, boolean"));
  CHECK(contains(error_of(schema, R"({"items": [{}]})"), "#/items: wanted a schema"));
}

TEST_CASE("keywords about numbers and texts hold together with others") {
  const auto whole = matcher_of(schema, R"({"type": "number", "multipleOf": 1})");
  CHECK(accepts(whole, "15"));
  CHECK_FALSE(accepts(whole, "1.5"));
  CHECK_FALSE(accepts(matcher_of(schema, R"({"multipleOf": 1, "minimum": 0.5})"), "1.5"));
  CHECK(accepts(matcher_of(schema, R"({"enum": ["a", 1], "pattern": "^a$", "maxLength": 0})"), "1"));
  CHECK_FALSE(matcher_of(schema, R"({"enum": ["a", 1], "pattern": "^a$", "maxLength": 0})").advance(std::string_view("\"")));
  CHECK(contains(error_of(schema, R"({"type": "string", "minLength": 5, "maxLength": 2})"), "no text satisfies"));
  CHECK(accepts(matcher_of(schema, R"({"allOf": [{"enum": [1, "b", {"x": 1, "y": [2.0]}]}, {"enum": [{"y": [2], "x": 1.0}, "c"]}]})"),
                R"({"x": 1, "y": [2]})"));
  CHECK(contains(error_of(schema, R"({"properties": {"a": {"$id": "other", "$ref": "#/$defs/b"}}})"), "#/properties/a/$id: $id is supported"));
}

TEST_CASE("white space is bounded and where a person would put it") {
  const auto object = matcher_of(schema, R"({"type": "object",
    "properties": {"a": {"type": "array", "items": {"type": "integer"}}, "b": {}}})");
  CHECK(accepts(object, R"({"a":[1,2],"b":{}})"));
  CHECK(accepts(object, R"({"a": [1, 2], "b": []})"));
  CHECK(accepts(object, "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": {}\n}"));
  CHECK(accepts(object, "{\n\t\"a\": []\n}"));
  CHECK_FALSE(accepts(object, R"({"a" : [1]})"));
  CHECK_FALSE(accepts(object, R"({"a":  [1]})"));
  CHECK_FALSE(accepts(object, R"({"a": [1 , 2]})"));
  CHECK_FALSE(accepts(object, "{  \"a\": [1]}"));
  CHECK_FALSE(accepts(object, "{\n\n\"a\": [1]}"));
  CHECK_FALSE(accepts(object, " {}"));
  CHECK_FALSE(accepts(object, "{} "));
  CHECK_FALSE(accepts(object, "{\n" + std::string(41, ' ') + "}"));
}

TEST_CASE("strings are valid UTF-8 with escapes that every reader takes") {
  const auto text = matcher_of(schema, R"({"type": "string"})");
  CHECK(accepts(text, "\"é字😀\\n\\/\\u00e9\\ud83d\\ude00 \x7f\""));
  CHECK(accepts(text, "\"\\uD7FF\\uE000\\uDBFF\\uDFFF\""));
  CHECK_FALSE(accepts(text, "\"a\nb\""));
  CHECK_FALSE(accepts(text, "\"\xc3\""));
  CHECK_FALSE(accepts(text, "\"\xc0\x80\""));
  CHECK_FALSE(accepts(text, "\"\xed\xa0\x80\""));
  CHECK_FALSE(accepts(text, "\"\xf4\x90\x80\x80\""));
  CHECK_FALSE(accepts(text, "\"\\ud83d\""));
  CHECK_FALSE(accepts(text, "\"\\ude00\\ud83d\""));
  CHECK_FALSE(accepts(text, "\"\\ud83d\\u0041\""));
  CHECK_FALSE(accepts(text, "\"\\x41\""));
  const auto long_one = matcher_of(schema, R"({"type": "string", "minLength": 3, "maxLength": 12000})");
  std::string spelled = "\"";
  for (int i = 0; i < 11'999; ++i) spelled += i % 2 == 0 ? "字" : "\\u00e9";
  CHECK(accepts(long_one, spelled + "\""));
  CHECK(accepts(long_one, spelled + "\\n\""));
  CHECK_FALSE(accepts(long_one, spelled + "ab\""));
  CHECK_FALSE(accepts(long_one, "\"a\\t\""));
  const auto two = matcher_of(schema, R"({"type": "string", "minLength": 2, "maxLength": 2})");
  CHECK(accepts(two, "\"字😀\""));
  CHECK(accepts(two, "\"\\ud83d\\ude00a\""));
  CHECK_FALSE(accepts(two, "\"\\ud83d\\ude00\""));
}

TEST_CASE("properties that are not named cannot be spelled like those that are") {
  const auto object = matcher_of(schema, R"({"properties": {"ab": {"type": "integer"}, "é\"": {"type": "null"}},
    "additionalProperties": {"type": "string"}})");
  CHECK(accepts(object, R"({"ab": 1, "é\"": null, "a": "x", "abc": "y", "": "z"})"));
  CHECK(accepts(object, R"({"a": "x"})"));
  CHECK_FALSE(accepts(object, R"({"ab": "x"})"));
  CHECK_FALSE(accepts(object, R"({"a\u0062": "x"})"));
  CHECK_FALSE(accepts(object, R"({"é\"": "x"})"));
  CHECK_FALSE(accepts(object, R"({"a": "x", "ab": 1})"));
}

TEST_CASE("properties may be left out, keep their order, and none is added, unless the schema says so") {
  const auto object = matcher_of(schema, R"({"type": "object",
    "properties": {"a": {"const": 1}, "b": {"const": 2}, "c": {"const": 3}}, "required": ["b"]})");
  CHECK(accepts(object, R"({"a": 1, "b": 2, "c": 3})"));
  CHECK(accepts(object, R"({"b": 2})"));
  CHECK(accepts(object, R"({"b": 2, "c": 3})"));
  CHECK_FALSE(accepts(object, R"({"a": 1})"));
  CHECK_FALSE(accepts(object, R"({"b": 2, "a": 1})"));
  CHECK_FALSE(accepts(object, R"({"b": 2,})"));
  CHECK_FALSE(accepts(object, R"({"b": 2, "d": 4})"));
  CHECK_FALSE(accepts(object, "{}"));
  CHECK(accepts(matcher_of(schema, R"({"type": "object"})"), R"({"x": {"y": []}})"));
  const auto empty = matcher_of(schema, R"({"type": "object", "additionalProperties": false})");
  CHECK(accepts(empty, "{}"));
  CHECK_FALSE(accepts(empty, R"({"x": 1})"));
}

TEST_CASE("whatever text is given as a constraint, there is a result or an input_error") {
  const std::vector<text_constraint> whole{
    {schema, R"({"$defs":{"a":{"type":["string","null"],"maxLength":5,"pattern":"^a{2,3}$"}},"type":"object",
      "properties":{"x":{"$ref":"#/$defs/a"},
      "y":{"anyOf":[{"type":"integer","minimum":-3,"multipleOf":3},{"enum":[1,"a",{}]}]}},
      "required":["x"],"additionalProperties":{"type":"number","maximum":1.5}})"},
    {schema, R"({"oneOf":[{"type":"array","prefixItems":[{}],"items":false,"minItems":1},
      {"allOf":[{"type":"string"},{"format":"date"}]}]})"},
    {grammar, "root ::= a{2,3} | \"x\\n\" [^a-z]* (root | b)+ # c\na ::= [\\x00-\\u00ff] .?\nb ::= \"\"\n"},
    {regex, "^(?:a|[^b-d\\w]{2,5})+\\d*\\.\\x41\\u{1f600}?$"},
  };
  std::mt19937 random(3);
  const std::string letters = "{}[]()\"\\:,|*+?^$.-0123456789abcx \n#=";
  size_t accepted = 0, refused = 0;
  for (int i = 0; i < 6000; ++i) {
    auto constraint = whole[random() % whole.size()];
    auto& text = constraint.text;
    for (unsigned changes = random() % 4; changes > 0 && !text.empty(); --changes) {
      const size_t at = random() % text.size();
      switch (random() % 4) {
      case 0: text[at] = letters[random() % letters.size()]; break;
      case 1: text.erase(at, 1 + random() % 4); break;
      case 2: text.insert(at, 1, letters[random() % letters.size()]); break;
      default: text.insert(at, text.substr(random() % text.size(), 1 + random() % 12)); break;
      }
    }
    try {
      const auto made = compile(constraint);
      constraint_matcher matcher(made, bytes_and({}));
      ++accepted;
      // What was accepted can be completed: there is always a next byte.
      for (int step = 0; step < 10 && !matcher.must_end(); ++step) {
        const auto& mask = matcher.allowed();
        std::vector<uint32_t> allowed;
        for (uint32_t byte = 0; byte < 256; ++byte)
          if (has_token(mask, byte)) allowed.push_back(byte);
        REQUIRE(!allowed.empty());
        const bool goes_on = matcher.advance(allowed[random() % allowed.size()]);
        REQUIRE(goes_on);
      }
    } catch (const input_error&) {
      ++refused;
    }
  }
  CHECK(accepted > 1000);
  CHECK(refused > 1000);
}
