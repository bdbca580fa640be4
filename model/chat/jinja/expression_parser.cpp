#include "model/chat/jinja/expression_parser.hpp"
#include "model/chat/jinja/filters.hpp"
#include "model/chat/jinja/tests.hpp"
#include <algorithm>

namespace troupe::jinja {

/// One level of recursion.
class expression_parser::nesting {
public:
  explicit nesting(expression_parser& parser) : parser_(parser) {
    if (++parser.depth_ > tree_depth_max) {
      --parser.depth_;
      parser.tokens_.fail("an expression is nested too deeply");
    }
  }
  ~nesting() { --parser_.depth_; }

private:
  expression_parser& parser_;
};

expression_parser::node expression_parser::make(expression_kind kind, uint32_t line) const {
  auto made = std::make_unique<expression>();
  made->kind = kind;
  made->line = line;
  return made;
}

void expression_parser::count_depth(expression& owner, const expression* part) const {
  if (part == nullptr) return;
  owner.depth = std::max(owner.depth, part->depth + 1);
  if (owner.depth > tree_depth_max) fail_at_line(owner.line, "an expression is nested too deeply");
}

void expression_parser::add_part(expression& owner, expression_pointer part) const {
  count_depth(owner, part.get());
  owner.parts.push_back(std::move(part));
}

expression_pointer expression_parser::make_binary(expression_kind kind, uint32_t line, expression_pointer left,
                                                  expression_pointer right, std::string_view name) const {
  auto made = make(kind, line);
  made->name = name;
  add_part(*made, std::move(left));
  add_part(*made, std::move(right));
  return made;
}

expression_pointer expression_parser::parse_conditional() {
  const nesting deeper(*this);
  uint32_t line = tokens_.line();
  auto left = parse_or();
  while (tokens_.skip_name("if")) {
    auto made = make(expression_kind::conditional, line);
    add_part(*made, parse_or());
    add_part(*made, std::move(left));
    add_part(*made, tokens_.skip_name("else") ? parse_conditional() : nullptr);
    left = std::move(made);
    line = tokens_.line();
  }
  return left;
}

expression_pointer expression_parser::parse_or() {
  const uint32_t line = tokens_.line();
  auto left = parse_and();
  while (tokens_.skip_name("or")) left = make_binary(expression_kind::logical_or, line, std::move(left), parse_and());
  return left;
}

expression_pointer expression_parser::parse_and() {
  const uint32_t line = tokens_.line();
  auto left = parse_not();
  while (tokens_.skip_name("and")) left = make_binary(expression_kind::logical_and, line, std::move(left), parse_not());
  return left;
}

expression_pointer expression_parser::parse_not() {
  const uint32_t line = tokens_.line();
  if (!tokens_.skip_name("not")) return parse_comparison();
  const nesting deeper(*this);
  auto made = make(expression_kind::logical_not, line);
  add_part(*made, parse_not());
  return made;
}

expression_pointer expression_parser::parse_comparison() {
  constexpr std::string_view comparisons[] = {"==", "!=", "<", "<=", ">", ">="};
  const uint32_t line = tokens_.line();
  auto left = parse_sum();
  node made;
  while (true) {
    std::string found;
    for (const auto symbol : comparisons) {
      if (tokens_.at_symbol(symbol)) found = symbol;
    }
    if (tokens_.at_name("in")) found = "in";
    if (tokens_.at_name("not") && tokens_.following().kind == token_kind::name && tokens_.following().text == "in") {
      tokens_.take();
      found = "not in";
    }
    if (found.empty()) break;
    tokens_.take();
    if (!made) {
      made = make(expression_kind::comparison, line);
      add_part(*made, std::move(left));
    }
    made->operators.push_back(std::move(found));
    add_part(*made, parse_sum());
  }
  return made ? expression_pointer(std::move(made)) : std::move(left);
}

expression_pointer expression_parser::parse_sum() {
  const uint32_t line = tokens_.line();
  auto left = parse_concatenation();
  while (tokens_.at_symbol("+") || tokens_.at_symbol("-")) {
    const std::string symbol = tokens_.take().text;
    left = make_binary(expression_kind::arithmetic, line, std::move(left), parse_concatenation(), symbol);
  }
  return left;
}

expression_pointer expression_parser::parse_concatenation() {
  const uint32_t line = tokens_.line();
  auto left = parse_product();
  if (!tokens_.at_symbol("~")) return left;
  auto made = make(expression_kind::concatenation, line);
  add_part(*made, std::move(left));
  while (tokens_.skip_symbol("~")) add_part(*made, parse_product());
  return made;
}

expression_pointer expression_parser::parse_product() {
  const uint32_t line = tokens_.line();
  auto left = parse_power();
  while (tokens_.at_symbol("*") || tokens_.at_symbol("/") || tokens_.at_symbol("//") || tokens_.at_symbol("%")) {
    const std::string symbol = tokens_.take().text;
    left = make_binary(expression_kind::arithmetic, line, std::move(left), parse_power(), symbol);
  }
  return left;
}

expression_pointer expression_parser::parse_power() {
  const uint32_t line = tokens_.line();
  auto left = parse_signed(true);
  while (tokens_.skip_symbol("**")) {
    left = make_binary(expression_kind::arithmetic, line, std::move(left), parse_signed(true), "**");
  }
  return left;
}

expression_pointer expression_parser::parse_signed(bool with_filters) {
  const nesting deeper(*this);
  const uint32_t line = tokens_.line();
  expression_pointer subject;
  if (tokens_.at_symbol("-") || tokens_.at_symbol("+")) {
    auto made = make(tokens_.take().text == "-" ? expression_kind::negative : expression_kind::positive, line);
    add_part(*made, parse_signed(false));
    subject = std::move(made);
  } else {
    subject = parse_primary();
  }
  subject = parse_postfix(std::move(subject));
  return with_filters ? parse_filters_and_tests(std::move(subject)) : std::move(subject);
}

expression_pointer expression_parser::parse_primary() {
  const uint32_t line = tokens_.line();
  if (tokens_.at_symbol("(")) {
    const nesting deeper(*this);
    tokens_.take();
    auto inside = parse_items(true, true, false);
    tokens_.expect_symbol(")");
    return inside;
  }
  if (tokens_.at_symbol("[")) return parse_list();
  if (tokens_.at_symbol("{")) return parse_dict();
  auto made = make(expression_kind::constant, line);
  switch (tokens_.current().kind) {
  case token_kind::name: {
    const std::string& word = tokens_.take().text;
    if (word == "true" || word == "True" || word == "false" || word == "False") {
      made->constant = word == "true" || word == "True";
    } else if (word != "none" && word != "None") {
      made->kind = expression_kind::name;
      made->name = word;
      names.insert(word);
    }
    return made;
  }
  case token_kind::text: {
    std::string all;
    while (tokens_.at(token_kind::text)) all += tokens_.take().text;
    made->constant = std::move(all);
    return made;
  }
  case token_kind::integer: made->constant = tokens_.take().integer; return made;
  case token_kind::number: made->constant = tokens_.take().number; return made;
  default: tokens_.fail_here("an expression");
  }
}

expression_pointer expression_parser::parse_tuple(bool with_conditionals) { return parse_items(false, with_conditionals, false); }

expression_pointer expression_parser::parse_items(bool explicit_parentheses, bool with_conditionals, bool targets_only) {
  const uint32_t line = tokens_.line();
  std::vector<expression_pointer> items;
  bool is_tuple = false;
  while (true) {
    if (!items.empty()) tokens_.expect_symbol(",");
    if (tokens_.at(token_kind::variable_end) || tokens_.at(token_kind::block_end) || tokens_.at_symbol(")")) break;
    items.push_back(targets_only ? parse_primary() : with_conditionals ? parse_conditional() : parse_or());
    if (!tokens_.at_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && !items.empty()) return std::move(items.front());
  if (!is_tuple && !explicit_parentheses) tokens_.fail_here("an expression");
  auto made = make(expression_kind::tuple, line);
  for (auto& item : items) add_part(*made, std::move(item));
  return made;
}

namespace {

bool is_target(const expression& one) {
  if (one.kind == expression_kind::tuple) {
    return std::all_of(one.parts.begin(), one.parts.end(), [](const auto& part) { return is_target(*part); });
  }
  return one.kind == expression_kind::name;
}

} // namespace

expression_pointer expression_parser::parse_target(bool with_attributes) {
  const uint32_t line = tokens_.line();
  const bool has_dot = tokens_.following().kind == token_kind::symbol && tokens_.following().text == ".";
  if (with_attributes && has_dot) {
    auto owner = make(expression_kind::name, line);
    owner->name = tokens_.expect(token_kind::name, "a name").text;
    tokens_.take();
    names.insert(owner->name);
    auto made = make(expression_kind::attribute, line);
    made->name = tokens_.expect(token_kind::name, "a name").text;
    add_part(*made, std::move(owner));
    return made;
  }
  auto made = parse_items(false, true, true);
  if (!is_target(*made)) fail_at_line(line, "only names, tuples of names and attributes of a namespace can be assigned to");
  return made;
}

expression_pointer expression_parser::parse_list() {
  const nesting deeper(*this);
  auto made = make(expression_kind::list, tokens_.line());
  tokens_.expect_symbol("[");
  while (!tokens_.at_symbol("]")) {
    if (!made->parts.empty()) tokens_.expect_symbol(",");
    if (tokens_.at_symbol("]")) break;
    add_part(*made, parse_conditional());
  }
  tokens_.take();
  return made;
}

expression_pointer expression_parser::parse_dict() {
  const nesting deeper(*this);
  auto made = make(expression_kind::dict, tokens_.line());
  tokens_.expect_symbol("{");
  while (!tokens_.at_symbol("}")) {
    if (!made->parts.empty()) tokens_.expect_symbol(",");
    if (tokens_.at_symbol("}")) break;
    add_part(*made, parse_conditional());
    tokens_.expect_symbol(":");
    add_part(*made, parse_conditional());
  }
  tokens_.take();
  return made;
}

expression_pointer expression_parser::parse_postfix(expression_pointer subject) {
  while (true) {
    if (tokens_.at_symbol(".") || tokens_.at_symbol("[")) {
      subject = parse_subscript(std::move(subject));
    } else if (tokens_.at_symbol("(")) {
      subject = parse_call(std::move(subject));
    } else {
      return subject;
    }
  }
}

expression_pointer expression_parser::parse_filters_and_tests(expression_pointer subject) {
  while (true) {
    if (tokens_.at_symbol("|")) {
      subject = parse_filters(std::move(subject), false);
    } else if (tokens_.at_name("is")) {
      subject = parse_test(std::move(subject));
    } else if (tokens_.at_symbol("(")) {
      subject = parse_call(std::move(subject));
    } else {
      return subject;
    }
  }
}

expression_pointer expression_parser::parse_subscript(expression_pointer subject) {
  const nesting deeper(*this);
  const uint32_t line = tokens_.line();
  if (tokens_.skip_symbol(".")) {
    if (tokens_.at(token_kind::name)) {
      auto made = make(expression_kind::attribute, line);
      made->name = tokens_.take().text;
      add_part(*made, std::move(subject));
      return made;
    }
    auto index = make(expression_kind::constant, line);
    index->constant = tokens_.expect(token_kind::integer, "a name or an index").integer;
    return make_binary(expression_kind::item, line, std::move(subject), std::move(index));
  }
  tokens_.expect_symbol("[");
  std::vector<expression_pointer> indices;
  while (!tokens_.at_symbol("]")) {
    if (!indices.empty()) tokens_.expect_symbol(",");
    indices.push_back(parse_slice_or_index());
  }
  tokens_.take();
  if (indices.size() == 1) return make_binary(expression_kind::item, line, std::move(subject), std::move(indices.front()));
  auto tuple = make(expression_kind::tuple, line);
  for (auto& index : indices) {
    if (index->kind == expression_kind::slice) fail_at_line(line, "slices in a tuple are not supported");
    add_part(*tuple, std::move(index));
  }
  return make_binary(expression_kind::item, line, std::move(subject), std::move(tuple));
}

expression_pointer expression_parser::parse_slice_or_index() {
  const uint32_t line = tokens_.line();
  const auto ends = [&] { return tokens_.at_symbol("]") || tokens_.at_symbol(","); };
  expression_pointer begin, end, step;
  if (!tokens_.at_symbol(":")) {
    begin = parse_conditional();
    if (!tokens_.at_symbol(":")) return begin;
  }
  tokens_.take();
  if (!tokens_.at_symbol(":") && !ends()) end = parse_conditional();
  if (tokens_.skip_symbol(":") && !ends()) step = parse_conditional();
  auto made = make(expression_kind::slice, line);
  add_part(*made, std::move(begin));
  add_part(*made, std::move(end));
  add_part(*made, std::move(step));
  return made;
}

std::unique_ptr<const argument_list> expression_parser::parse_arguments() {
  const nesting deeper(*this);
  auto made = std::make_unique<argument_list>();
  tokens_.expect_symbol("(");
  bool is_first = true;
  const auto require = [&](bool holds) {
    if (!holds) tokens_.fail("these arguments are out of order");
  };
  while (!tokens_.at_symbol(")")) {
    if (!is_first) {
      tokens_.expect_symbol(",");
      if (tokens_.at_symbol(")")) break;
    }
    is_first = false;
    if (tokens_.at_symbol("*")) {
      require(!made->more && !made->others);
      tokens_.take();
      made->more = parse_conditional();
    } else if (tokens_.at_symbol("**")) {
      require(!made->others);
      tokens_.take();
      made->others = parse_conditional();
    } else if (tokens_.at(token_kind::name) && tokens_.following().kind == token_kind::symbol && tokens_.following().text == "=") {
      require(!made->others);
      std::string name = tokens_.take().text;
      const bool is_new = std::none_of(made->named.begin(), made->named.end(), [&](const auto& one) { return one.first == name; });
      if (!is_new) tokens_.fail("the argument " + name + " is given twice");
      tokens_.take();
      made->named.emplace_back(std::move(name), parse_conditional());
    } else {
      require(!made->more && !made->others && made->named.empty());
      made->positional.push_back(parse_conditional());
    }
  }
  tokens_.take();
  return made;
}

namespace {

uint32_t depth_of(const argument_list& arguments) {
  uint32_t depth = 0;
  const auto count = [&](const expression_pointer& one) {
    if (one) depth = std::max(depth, one->depth);
  };
  for (const auto& one : arguments.positional) count(one);
  for (const auto& [name, one] : arguments.named) count(one);
  count(arguments.more);
  count(arguments.others);
  return depth;
}

} // namespace

expression_pointer expression_parser::parse_call(expression_pointer subject) {
  auto made = make(expression_kind::call, tokens_.line());
  add_part(*made, std::move(subject));
  made->arguments = parse_arguments();
  made->depth = std::max(made->depth, depth_of(*made->arguments) + 1);
  return made;
}

std::string expression_parser::parse_dotted_name(std::string_view what) {
  std::string name = tokens_.expect(token_kind::name, what).text;
  while (tokens_.skip_symbol(".")) name += "." + tokens_.expect(token_kind::name, what).text;
  return name;
}

expression_pointer expression_parser::parse_filters(expression_pointer subject, bool first_is_named) {
  while (tokens_.at_symbol("|") || first_is_named) {
    if (!first_is_named) tokens_.take();
    first_is_named = false;
    subject = parse_filter(std::move(subject));
  }
  return subject;
}

expression_pointer expression_parser::parse_filter(expression_pointer subject) {
  auto made = make(expression_kind::filter, tokens_.line());
  made->name = parse_dotted_name("the name of a filter");
  made->filter = find_filter(made->name);
  if (made->filter == nullptr) fail_at_line(made->line, "the filter " + made->name + " is not supported");
  if (subject) add_part(*made, std::move(subject));
  made->arguments = tokens_.at_symbol("(") ? parse_arguments() : std::make_unique<argument_list>();
  made->depth = std::max(made->depth, depth_of(*made->arguments) + 1);
  if (made->depth > tree_depth_max) fail_at_line(made->line, "an expression is nested too deeply");
  return made;
}

expression_pointer expression_parser::parse_test(expression_pointer subject) {
  const nesting deeper(*this);
  auto made = make(expression_kind::test, tokens_.line());
  tokens_.expect_name("is");
  const bool is_negated = tokens_.skip_name("not");
  made->name = parse_dotted_name("the name of a test");
  made->test = find_test(made->name);
  if (made->test == nullptr) fail_at_line(made->line, "the test " + made->name + " is not supported");
  add_part(*made, std::move(subject));
  const bool has_argument = tokens_.at(token_kind::name) || tokens_.at(token_kind::text) || tokens_.at(token_kind::integer) ||
                            tokens_.at(token_kind::number) || tokens_.at_symbol("[") || tokens_.at_symbol("{");
  if (tokens_.at_symbol("(")) {
    made->arguments = parse_arguments();
  } else if (has_argument && !tokens_.at_name("else") && !tokens_.at_name("or") && !tokens_.at_name("and")) {
    if (tokens_.at_name("is")) tokens_.fail("tests cannot be chained");
    auto arguments = std::make_unique<argument_list>();
    arguments->positional.push_back(parse_postfix(parse_primary()));
    made->arguments = std::move(arguments);
  } else {
    made->arguments = std::make_unique<argument_list>();
  }
  made->depth = std::max(made->depth, depth_of(*made->arguments) + 1);
  if (!is_negated) return made;
  auto negation = make(expression_kind::logical_not, made->line);
  add_part(*negation, std::move(made));
  return negation;
}

} // namespace troupe::jinja
