#include "constraint_support.hpp"
#include "model/error.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <map>
#include <set>

using namespace troupe;

namespace {

constexpr auto schema = R"({"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}, "tags": {"type": "array",
  "items": {"enum": ["red", "green"]}}, "more": {}, "n": {"type": "number", "minimum": -5, "maximum": 17.5}}, "required": ["name"]})";
constexpr auto arithmetic = R"x(root ::= sum
sum ::= product (("+" | "-") product)*
product ::= value ("*" value)*
value ::= [0-9]+ | name | "(" sum ")"
name ::= [a-zé]+)x";

const std::vector<text_constraint> constraints{{constraint_kind::json_schema, schema}, {constraint_kind::json_object, ""},
                                               {constraint_kind::grammar, arithmetic}, {constraint_kind::regex, "[^\"]*(ab|\"c)+.{2,5}"},
                                               {constraint_kind::regex, "(a|b)*a(a|b){7}"}};

/// All bytes, and random pieces of what the constraints are about.
std::vector<std::string> random_vocabulary(std::mt19937& random) {
  const std::vector<std::string> parts{"{\"", "name", "\"", "\": ", ", ", "}", "]", "[", "red", "een", "a", "b", "ab", " ", "\n  ", "12",
                                       ".5",
                                       "+", "*", "(", ")", "é", "\xc3", "\xa9", "\\u00", "\\", "字", "tags", "n", "(a", "b)*"};
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, char(byte));
  for (int i = 0; i < 200; ++i) {
    std::string text = parts[random() % parts.size()];
    while (random() % 2) text += parts[random() % parts.size()];
    texts.push_back(text);
  }
  return texts;
}

std::vector<uint32_t> tokens_in(const token_mask& mask, uint32_t vocabulary) {
  std::vector<uint32_t> tokens;
  for (uint32_t token = 0; token < vocabulary; ++token)
    if (has_token(mask, token)) tokens.push_back(token);
  return tokens;
}

} // namespace

TEST_CASE("a mask has exactly the tokens by which a text can go on, whatever was asked before") {
  std::mt19937 random(7);
  size_t compared = 0, allowed_tokens = 0;
  for (const auto& constraint : constraints)
    for (int round = 0; round < 6; ++round) {
      const auto texts = random_vocabulary(random);
      const auto index = std::make_shared<const token_index>(texts);
      const auto compiled = compile(constraint);
      constraint_matcher matcher(compiled, index);
      std::vector<uint32_t> log;
      for (int step = 0; step < 40 && !matcher.must_end(); ++step) {
        const auto allowed = tokens_in(matcher.allowed(), index->vocabulary());
        std::vector<uint32_t> expected;
        for (uint32_t token = 0; token < texts.size(); ++token) {
          // In the automaton itself, from the beginning, byte by byte.
          auto tried = matcher;
          if (tried.advance(std::string_view(texts[token]))) expected.push_back(token);
        }
        CHECK(allowed == expected);
        constraint_matcher other(compiled, index); // It has seen nothing but this text.
        for (const uint32_t token : log) REQUIRE(other.advance(token));
        CHECK(tokens_in(other.allowed(), index->vocabulary()) == allowed);
        CHECK(other.may_end() == matcher.may_end());
        ++compared;
        allowed_tokens += allowed.size();
        REQUIRE(!allowed.empty()); // There are tokens for all bytes.
        log.push_back(allowed[random() % allowed.size()]);
        REQUIRE(matcher.advance(log.back()));
      }
    }
  CHECK(compared > 300);
  CHECK(allowed_tokens > 20 * compared);
}

TEST_CASE("a token that is not allowed changes nothing") {
  auto matcher = matcher_of(constraint_kind::regex, "abc");
  CHECK(matcher.advance(uint32_t('a')));
  CHECK_FALSE(matcher.advance(uint32_t('c')));
  CHECK_FALSE(matcher.advance(std::string_view("bd")));
  CHECK_FALSE(matcher.advance(uint32_t(256)));
  CHECK(matcher.advance(std::string_view("b")));
  CHECK_FALSE(matcher.may_end());
  CHECK(matcher.advance(uint32_t('c')));
  CHECK(matcher.may_end());
  CHECK(matcher.must_end());
}

TEST_CASE("a text that can end but also go on need not end") {
  auto matcher = matcher_of(constraint_kind::regex, "ab*");
  matcher.advance(uint32_t('a'));
  CHECK(matcher.may_end());
  CHECK_FALSE(matcher.must_end());
}

TEST_CASE("matchers forget what they have found out, and go on as before") {
  // Each depth of brackets is another state; so is each count.
  const auto index = bytes_and({"[[[[", "]]]]"});
  constraint_matcher matcher(compile({constraint_kind::grammar, "root ::= \"[\" (root \"x\")? \"]\"\n"}), index);
  constexpr int depth = 60'000;
  for (int i = 0; i < depth / 4; ++i) REQUIRE(matcher.advance(uint32_t(256)));
  const auto allowed = tokens_in(matcher.allowed(), index->vocabulary());
  CHECK(allowed == std::vector<uint32_t>{'[', ']', 256});
  for (int i = 0; i + 1 < depth; ++i) REQUIRE(matcher.advance(std::string_view("]x")));
  CHECK_FALSE(matcher.may_end());
  CHECK(matcher.advance(std::string_view("]")));
  CHECK(matcher.must_end());
}

TEST_CASE("tokens that stand for no text are never allowed, and several that stand for the same all are") {
  const auto index = std::make_shared<const token_index>(std::vector<std::string>{"a", "", "ab", "a", "b", "", "é", "\xc3"});
  constraint_matcher matcher(compile({constraint_kind::regex, "a?b?é*"}), index);
  CHECK(tokens_in(matcher.allowed(), 8) == std::vector<uint32_t>{0, 2, 3, 4, 6, 7});
  CHECK_FALSE(matcher.advance(uint32_t(1)));
  CHECK(matcher.advance(uint32_t(7)));
  CHECK(tokens_in(matcher.allowed(), 8).empty()); // Half of a character, and no token for the other half.
}

TEST_CASE("what is too ambiguous ends in one error, at the same place always") {
  // Each letter doubles the ways in which the text may have been read so far.
  std::string grammar = "root ::= s\ns ::= a s \"x\" | b s \"y\" | c s \"z\" | \"!\"\n"
                        "a ::= \"k\" t\nb ::= \"k\" t \nc ::= \"k\" t\nt ::= \"\" | \"k\"\n";
  const auto index = bytes_and({});
  const auto compiled = compile({constraint_kind::grammar, grammar});
  const auto letters_read = [&](bool with_masks) {
    constraint_matcher matcher(compiled, index);
    int read = 0;
    try {
      for (; read < 100; ++read) {
        if (with_masks) matcher.allowed();
        const bool goes_on = matcher.advance(std::string_view("k"));
        REQUIRE(goes_on);
      }
    } catch (const input_error& error) {
      CHECK(std::string(error.what()).find("too ambiguous") != std::string::npos);
    }
    return read;
  };
  CHECK(letters_read(false) > 3);
  CHECK(letters_read(false) < 30);
  CHECK(letters_read(true) == letters_read(false));
}
