#pragma once
// Expressions, by recursive descent: each function is one level of precedence of jinja2's grammar.
#include "model/chat/jinja/token_cursor.hpp"
#include "model/chat/jinja/tree.hpp"
#include <set>

namespace troupe::jinja {

class expression_parser {
public:
  explicit expression_parser(token_cursor& tokens) : tokens_(tokens) {}

  expression_pointer parse_expression() { return parse_conditional(); }
  /// Expressions with commas between them are a tuple. Without conditionals "if" ends it.
  expression_pointer parse_tuple(bool with_conditionals = true);
  /// Names, tuples of names; with_attributes: also name.attribute.
  expression_pointer parse_target(bool with_attributes);
  /// Filters that come where a "|" is, after `first_is_named`: that stands where one is named. Null where there is none.
  expression_pointer parse_filters(expression_pointer subject, bool first_is_named);

  /// Names that expressions used since they were last cleared.
  std::set<std::string, std::less<>> names;

private:
  using node = std::unique_ptr<expression>;
  class nesting;

  expression_pointer parse_conditional();
  expression_pointer parse_or();
  expression_pointer parse_and();
  expression_pointer parse_not();
  expression_pointer parse_comparison();
  expression_pointer parse_sum();
  expression_pointer parse_concatenation();
  expression_pointer parse_product();
  expression_pointer parse_power();
  expression_pointer parse_signed(bool with_filters);
  expression_pointer parse_primary();
  expression_pointer parse_items(bool explicit_parentheses, bool with_conditionals, bool targets_only);
  expression_pointer parse_list();
  expression_pointer parse_dict();
  expression_pointer parse_postfix(expression_pointer subject);
  expression_pointer parse_filters_and_tests(expression_pointer subject);
  expression_pointer parse_subscript(expression_pointer subject);
  expression_pointer parse_slice_or_index();
  expression_pointer parse_call(expression_pointer subject);
  expression_pointer parse_filter(expression_pointer subject);
  expression_pointer parse_test(expression_pointer subject);
  std::unique_ptr<const argument_list> parse_arguments();
  std::string parse_dotted_name(std::string_view what);

  node make(expression_kind kind, uint32_t line) const;
  /// Adds the part and counts the depth.
  void add_part(expression& owner, expression_pointer part) const;
  void count_depth(expression& owner, const expression* part) const;
  expression_pointer make_binary(expression_kind kind, uint32_t line, expression_pointer left, expression_pointer right,
                                 std::string_view name = {}) const;

  token_cursor& tokens_;
  uint32_t depth_ = 0;
};

} // namespace troupe::jinja
