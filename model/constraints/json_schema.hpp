#pragma once
// JSON schemas as constraints. docs/constraints.md lists what is supported.
#include "model/constraints/expression.hpp"
#include <string_view>

namespace troupe {

/// Every text of the grammar is JSON, and valid by the schema. Not every valid document is such a text: properties come in the order of the
/// schema, and white space is limited. Throws input_error with the place of a keyword that it does not know or cannot enforce.
constraint_grammar read_json_schema(std::string_view text, compile_budget& budget);

/// Any JSON object.
constraint_grammar any_json_object();

} // namespace troupe
