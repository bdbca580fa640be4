#pragma once
// Values as text: Python's str(), repr() and json.dumps().
#include "model/chat/jinja/value.hpp"

namespace troupe::jinja {

/// str(): a string is itself, undefined is nothing, 1.0, True, None, ['a', 1].
std::string to_text(evaluation& run, const value& one);
/// repr(): a string has quotes.
std::string represent(evaluation& run, const value& one);
/// The shortest digits that mean this float: 1.0, 1e+16, inf.
std::string print_float(double number);

struct json_style {
  bool is_ascii = false;               // Other characters as \uXXXX.
  std::optional<std::string> indent;   // Of a level; without it all is one line.
  std::string between_items = ", ", behind_keys = ": ";
  bool sorts_keys = false;
};

/// json.dumps(). Fails for what JSON does not know: undefined, iterators, views, functions.
std::string to_json(evaluation& run, const value& one, const json_style& style);

/// format % items: %s %r %d %i %x %X %o %f %%, with flags, width and precision. Fails where an item is left, unless that may be.
std::string print_with_format(evaluation& run, std::string_view format, const std::vector<value>& items, bool may_be_left = false);
/// format.format(...): {}, {0} and {name}, without conversions and specifications.
std::string print_with_fields(evaluation& run, std::string_view format, const call_arguments& arguments);

} // namespace troupe::jinja
