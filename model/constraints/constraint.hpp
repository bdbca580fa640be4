#pragma once
// What a generated text must look like: the constraint as a user gives it, and compiled.
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

class automaton;

enum class constraint_kind : uint8_t { json_schema, json_object, regex, grammar };

struct text_constraint {
  constraint_kind kind = constraint_kind::json_object;
  std::string text; // Of the schema, the expression or the grammar.
  bool operator==(const text_constraint&) const = default;
};

/// Takes about a tenth of a millisecond for a small schema; at most some tenths of a second and 100 MB for any text, then it
/// throws input_error, as for everything in it that is wrong or not supported. The same text always becomes the same.
std::shared_ptr<const automaton> compile(const text_constraint& constraint);

} // namespace troupe
