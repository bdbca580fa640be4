// What a constraint allows, for programs that compare it with what others think of it.
//
// Each line of stdin is a JSON object: "kind" ("json_schema", "json_object", "regex", "grammar"), "text", and
//   "seed", "walks", "tokens_max"  random walks: the constraint's mask says which tokens may come next;
//   "texts"                        texts to be judged.
// Each gives a line of stdout: {"walks": [a text, or null where it has not ended in time]}, {"accepted": [true, ...]} or {"error": why}.
#include "model/constraints/automaton.hpp"
#include "model/constraints/constraint.hpp"
#include "model/constraints/matcher.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

namespace troupe {
namespace {

using json = nlohmann::json;

text_constraint read_constraint(const json& line) {
  static const std::map<std::string, constraint_kind> kinds{{"json_schema", constraint_kind::json_schema},
                                                            {"json_object", constraint_kind::json_object},
                                                            {"regex", constraint_kind::regex},
                                                            {"grammar", constraint_kind::grammar}};
  return {kinds.at(line.at("kind")), line.value("text", "")};
}

/// All bytes, and some longer pieces of what constraints are about.
std::vector<std::string> make_vocabulary(std::mt19937_64& random) {
  static const std::vector<std::string> parts{"{\"", "\":", "\": ", "\": \"", "\", \"", "\"}", "\"]", "true", "false", "null", ", ", "},",
                                              "}, {",
                                              "[", "[[", "]]", "\n  ", "\n    ", "  ", "12", "0.5", "-1",
                                              "e+", "\\n", "\\u", "00", "é", "字",
                                              "name", "id",
                                              "ab", "a", "b", "abc", "-", "T", "2024-", "\xc3", "\xa9", "😀"};
  std::vector<std::string> texts;
  for (int byte = 0; byte < 256; ++byte) texts.emplace_back(1, char(byte));
  for (int i = 0; i < 150; ++i) {
    std::string text = parts[random() % parts.size()];
    while (random() % 2) text += parts[random() % parts.size()];
    texts.push_back(text);
  }
  return texts;
}

/// A random walk; later one that ends what it can.
std::optional<std::string> walk(constraint_matcher matcher, const token_index& tokens, std::mt19937_64& random, uint32_t tokens_max) {
  static const std::string others = ":,01nefabAZ-T.\\udc";
  std::string text;
  for (uint32_t step = 0; step < tokens_max * 20; ++step) {
    if (matcher.must_end() || (matcher.may_end() && (step >= tokens_max || random() % 4 == 0))) return text;
    const auto& mask = matcher.allowed();
    std::vector<uint32_t> allowed;
    for (uint32_t token = 0; token < tokens.vocabulary(); ++token)
      if (has_token(mask, token)) allowed.push_back(token);
    if (allowed.empty()) throw std::logic_error("nothing is allowed after " + text);
    uint32_t token = allowed[random() % allowed.size()];
    // Now and then always the same one of those that are allowed: most tokens are alike.
    if (random() % 3 == 0)
      token = *std::ranges::min_element(allowed, {}, [](uint32_t one) { return one * 2654435761u; });
    if (step >= tokens_max)
      for (const char byte : step % 2 ? std::string("\"}]") : std::string("\"") + others[random() % others.size()] + "}]")
        if (has_token(mask, uint8_t(byte))) {
          token = uint8_t(byte);
          break;
        }
    if (!matcher.advance(token)) throw std::logic_error("an allowed token is refused after " + text);
    text += tokens.text(token);
  }
  return std::nullopt;
}

json answer(const json& line) {
  const auto constraint = compile(read_constraint(line));
  json result;
  if (line.contains("texts")) {
    const auto tokens = std::make_shared<const token_index>(std::vector<std::string>{"a"});
    const constraint_matcher begun(constraint, tokens);
    for (const std::string text : line["texts"]) {
      auto matcher = begun;
      result["accepted"].push_back(matcher.advance(std::string_view(text)) && matcher.may_end());
    }
    return result;
  }
  std::mt19937_64 random(line.at("seed"));
  const auto tokens = std::make_shared<const token_index>(make_vocabulary(random));
  const constraint_matcher begun(constraint, tokens);
  for (int i = 0; i < line.at("walks"); ++i) {
    const auto text = walk(begun, *tokens, random, line.value("tokens_max", 60));
    result["walks"].push_back(text ? json(*text) : json(nullptr));
  }
  return result;
}

} // namespace
} // namespace troupe

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    nlohmann::json result;
    try {
      result = troupe::answer(nlohmann::json::parse(line));
    } catch (const troupe::input_error& error) {
      result = {{"error", error.what()}};
    }
    std::cout << result.dump() << std::endl;
  }
}
