#pragma once
// Regular expressions as constraints.
#include "model/constraints/expression.hpp"
#include <string_view>

namespace troupe {

/// What a regular expression says about the beginning and the end of the text around it.
enum class regex_anchors : uint8_t {
  whole_text, // It is the whole text; a ^ at its beginning and a $ at its end say nothing new.
  as_written, // It may begin and end anywhere in a text, but where ^ and $ say otherwise: a JSON schema's "pattern".
};

/// The texts that match: concatenation, |, ( ), (?: ), * + ? {m} {m,} {m,n} (each may be followed by a ?, which changes nothing here),
/// ".", classes with ranges and escapes, \d \w \s \D \W \S, \n \r \t \f \v \0, \xHH, \uHHHH, \u{H...}, and a backslash before any
/// punctuation.
/// "." is no end of a line (\n, \r, U+2028, U+2029). \d is 0-9, \w A-Za-z0-9_; \s are the six white space characters of ASCII, and \S all
/// but those and Unicode's other white space. ^ and $ are known at the two ends of an alternative that is in no group.
/// Throws input_error with the place of anything else.
expression_ptr read_regex(std::string_view text, regex_anchors anchors);

} // namespace troupe
