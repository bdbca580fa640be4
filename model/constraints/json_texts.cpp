#include "model/constraints/json_texts.hpp"
#include <utility>

namespace troupe {
namespace {

constexpr uint32_t spaces_max = 40, tabs_max = 12;

expression_ptr ascii(const char* from_to) {
  std::vector<code_range> ranges;
  for (; *from_to != '\0'; from_to += 2) ranges.push_back({uint32_t(from_to[0]), uint32_t(from_to[1])});
  return one_of(make_code_set(std::move(ranges)));
}

expression_ptr digits(uint32_t least, uint32_t most) { return repeated(ascii("09"), least, most); }

expression_ptr plain_character() { return one_of(difference(all_characters(), json_escaped_characters())); }

/// The escape of a character.
expression_ptr escape_sequence() {
  const auto hex = ascii("09AFaf");
  const auto not_d = ascii("09ACEFacef");
  const auto in_plane = choice_of({sequence_of({not_d, repeated(hex, 3, 3)}),
                                   sequence_of({ascii("DDdd"), ascii("07"), repeated(hex, 2, 2)})});
  const auto pair = sequence_of({ascii("DDdd"), ascii("89ABab"), repeated(hex, 2, 2), text_of("\\u"), ascii("DDdd"), ascii("CFcf"),
                                 repeated(hex, 2, 2)});
  const auto code = sequence_of({text_of("u"), choice_of({in_plane, pair})});
  return sequence_of({text_of("\\"), choice_of({ascii("\"\"\\\\//bbffnnrrtt"), code})});
}

expression_ptr string_character() { return choice_of({plain_character(), escape_sequence()}); }

expression_ptr whole_part() {
  return choice_of({text_of("0"), sequence_of({ascii("19"), digits(0, 17)})});
}

} // namespace

/// The rule of this name, which is made when it is asked for the first time.
template <class Make> expression_ptr json_texts::rule(std::optional<uint32_t>& number, const char* name, Make make) {
  if (!number) {
    number = grammar_.add(name, nullptr); // First: it may mention itself.
    auto body = make();
    grammar_.rules[*number].body = std::move(body);
  }
  return rule_of(*number);
}

expression_ptr json_texts::space() {
  return rule(space_, "space", [] {
    const auto indent = choice_of({repeated(text_of(" "), 0, spaces_max), repeated(text_of("\t"), 1, tabs_max)});
    return choice_of({sequence_of({}), text_of(" "), sequence_of({text_of("\n"), indent})});
  });
}

expression_ptr json_texts::colon() { return sequence_of({text_of(":"), optional(text_of(" "))}); }

expression_ptr json_texts::any_string() {
  return rule(string_, "string", [] { return in_quotes(repeated(string_character(), 0, expression::unbounded)); });
}

expression_ptr json_texts::string_of_length(uint32_t least, uint32_t most) {
  if (least == 0 && most == expression::unbounded) return any_string();
  // Escapes take more states than all else. Where there are many characters they are a rule of their own; where there are few, masks are
  // found faster without.
  constexpr uint32_t many = 1000;
  if ((most == expression::unbounded ? least : most) <= many) return in_quotes(repeated(string_character(), least, most));
  const auto escape = rule(escape_, "escape", [] { return escape_sequence(); });
  return in_quotes(repeated(choice_of({plain_character(), escape}), least, most));
}

expression_ptr json_texts::in_quotes(expression_ptr content) {
  return sequence_of({text_of("\""), std::move(content), text_of("\"")});
}

expression_ptr json_texts::any_whole() {
  return rule(whole_, "integer", [] {
    return choice_of({text_of("0"), sequence_of({optional(text_of("-")), ascii("19"), digits(0, 17)})});
  });
}

expression_ptr json_texts::any_number() {
  return rule(number_, "number", [] {
    const auto fraction = sequence_of({text_of("."), digits(1, 18)});
    const auto exponent = sequence_of({ascii("EEee"), optional(ascii("++--")), digits(1, 2)});
    return sequence_of({optional(text_of("-")), whole_part(), optional(fraction), optional(exponent)});
  });
}

expression_ptr json_texts::boolean() {
  return rule(boolean_, "boolean", [] { return choice_of({text_of("true"), text_of("false")}); });
}

expression_ptr json_texts::any_value() {
  return rule(value_, "value", [this] {
    return choice_of({any_object(), any_array(), any_string(), any_number(), boolean(), text_of("null")});
  });
}

expression_ptr json_texts::any_object() {
  return rule(object_, "object", [this] {
    const auto member = sequence_of({any_string(), colon(), any_value()});
    const auto more = repeated(sequence_of({text_of(","), space(), member}), 0, expression::unbounded);
    return sequence_of({text_of("{"), space(), optional(sequence_of({member, more, space()})), text_of("}")});
  });
}

expression_ptr json_texts::any_array() {
  return rule(array_, "array", [this] {
    const auto more = repeated(sequence_of({text_of(","), space(), any_value()}), 0, expression::unbounded);
    return sequence_of({text_of("["), space(), optional(sequence_of({any_value(), more, space()})), text_of("]")});
  });
}

const code_set& json_escaped_characters() {
  static const code_set all = make_code_set({{0, 0x1f}, {'"', '"'}, {'\\', '\\'}});
  return all;
}

std::string json_quoted_character(char c) {
  switch (c) {
  case '"': return "\\\"";
  case '\\': return "\\\\";
  case '\b': return "\\b";
  case '\f': return "\\f";
  case '\n': return "\\n";
  case '\r': return "\\r";
  case '\t': return "\\t";
  }
  constexpr const char* hex = "0123456789abcdef";
  return std::string("\\u00") + hex[uint8_t(c) / 16] + hex[uint8_t(c) % 16];
}

std::string json_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (uint8_t(c) < 0x20 || c == '"' || c == '\\') quoted += json_quoted_character(c);
    else quoted += c;
  }
  return quoted + '"';
}

} // namespace troupe
