#pragma once
// The texts of JSON values, as rules of a grammar.
#include "model/constraints/expression.hpp"
#include <optional>
#include <string>

namespace troupe {

/// Adds to a grammar the rules for JSON that are needed. White space: none or one space after a colon; between brackets, commas and
/// what is in them none, one space, or the end of a line with up to 40 spaces or 12 tabs; none elsewhere.
class json_texts {
public:
  explicit json_texts(constraint_grammar& to) : grammar_(to) {}

  expression_ptr any_value();
  expression_ptr any_object();
  expression_ptr any_array();
  expression_ptr any_string();  // Valid UTF-8; escapes, those of surrogates in pairs only.
  expression_ptr any_number();  // At most 18 digits before the point, 18 after it, 2 in the exponent.
  expression_ptr any_whole();   // At most 18 digits.
  expression_ptr boolean();
  expression_ptr space();       // Between brackets, commas and values.
  expression_ptr colon();
  /// `least` to `most` of any characters of a string, with the quotes.
  expression_ptr string_of_length(uint32_t least, uint32_t most);
  static expression_ptr in_quotes(expression_ptr content);

private:
  template <class Make> expression_ptr rule(std::optional<uint32_t>& number, const char* name, Make make);

  constraint_grammar& grammar_;
  std::optional<uint32_t> value_, object_, array_, string_, number_, whole_, boolean_, space_, escape_;
};

/// Those that a JSON string cannot hold as they are.
const code_set& json_escaped_characters();
/// One of them in its shortest spelling.
std::string json_quoted_character(char c);
/// "..." as JSON spells a text; other than the characters that have to be escaped, everything as it is.
std::string json_quoted(std::string_view text);

} // namespace troupe
