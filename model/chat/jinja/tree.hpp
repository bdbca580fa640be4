#pragma once
// A template as a tree. It does not change once parsed.
#include "model/chat/jinja/value.hpp"
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe::jinja {

struct expression;
using expression_pointer = std::unique_ptr<const expression>;

/// f(1, *more, name=2, **others)
struct argument_list {
  std::vector<expression_pointer> positional;
  std::vector<std::pair<std::string, expression_pointer>> named;
  expression_pointer more, others; // May be null.
};

using filter_function = value (*)(evaluation& run, const value& subject, const call_arguments& arguments);
using test_function = bool (*)(evaluation& run, const value& subject, const call_arguments& arguments);

enum class expression_kind : uint8_t {
  constant,
  name,
  tuple,
  list,
  dict,      // parts: key, value, key, value...
  attribute, // parts[0].name
  item,      // parts[0][parts[1]]
  slice,     // parts: begin, end, step, each may be null; only the second part of an item.
  call,      // parts[0](arguments)
  filter,    // parts[0]|name(arguments); parts is empty in a filter block.
  test,      // parts[0] is name(arguments)
  negative,
  positive,
  logical_not,
  logical_and,
  logical_or,
  arithmetic, // parts[0] <name> parts[1]: + - * / // % **
  concatenation,
  comparison, // parts[0] <operators[0]> parts[1] <operators[1]> parts[2]...
  conditional, // parts: condition, value if true, otherwise (may be null).
};

struct expression {
  expression_kind kind = expression_kind::constant;
  uint32_t line = 1;
  uint32_t depth = 1;
  std::string name;
  std::variant<none, bool, int64_t, double, std::string> constant;
  std::vector<expression_pointer> parts;
  std::vector<std::string> operators; // == != < <= > >= in "not in"
  std::unique_ptr<const argument_list> arguments;
  filter_function filter = nullptr;
  test_function test = nullptr;
};

enum class statement_kind : uint8_t {
  data,         // text
  print,        // value
  condition,    // branches; body: else.
  loop,         // for target in value if condition: body; else: otherwise.
  assignment,   // target = value
  block_assignment, // target = body, through the filters of value, where there are any.
  macro,        // text(parameters): body
  call_block,   // value is the call, of which body with parameters is the caller.
  filter_block, // body through the filters of value.
  with,         // targets, then body
  scope,        // body: {% generation %}
  leave_loop,
  next_round,
};

struct statement;
using block = std::vector<statement>;

struct branch {
  expression_pointer condition;
  block body;
};

struct parameter {
  std::string name;
  expression_pointer otherwise; // May be null.
};

struct statement {
  statement_kind kind = statement_kind::data;
  uint32_t line = 1;
  std::string text;
  expression_pointer target, value, condition;
  block body, otherwise;
  std::vector<branch> branches;
  std::vector<parameter> parameters;
  std::vector<std::pair<expression_pointer, expression_pointer>> targets;
  bool is_recursive = false;
  bool has_macros = false; // In body, however deep: what they see must outlive the body.
  // Of macros: what the body names and gets only for that.
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;
};

} // namespace troupe::jinja
