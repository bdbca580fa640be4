#pragma once
// Grammars in the notation of llama.cpp (GBNF).
#include "model/constraints/expression.hpp"
#include <string_view>

namespace troupe {

/// Rules `name ::= alternatives`; the text is what `root` says. Literals "...", classes [a-z] and [^a-z], ".", names, ( ), |, * + ?
/// {m} {m,} {m,n}, # comments; escapes \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH. A rule ends with its line, but in parentheses and
/// after a |. Throws input_error with the place of anything else.
constraint_grammar read_gbnf(std::string_view text);

} // namespace troupe
