#pragma once
// The options that say what a generated text must look like.
#include "model/constraints/constraint.hpp"
#include <optional>
#include <string>

namespace CLI {
class App;
}

namespace troupe {

struct constraint_arguments {
  std::optional<std::string> json_schema, regex, grammar_file; // json_schema: a file, or the schema itself.
  bool json_object = false;
  std::optional<text_constraint> chosen; // By check().
};

void declare_constraint(CLI::App& app, constraint_arguments& options);
/// Completes `chosen`. Throws usage_error for a constraint that is refused, input_error for a file that cannot be read.
void check(constraint_arguments& options);

} // namespace troupe
