#include "model/chat/jinja/parser.hpp"
#include "model/chat/jinja/expression_parser.hpp"
#include <algorithm>

namespace troupe::jinja {
namespace {

/// Statements of the tags between {% and %}.
class statement_parser {
public:
  explicit statement_parser(token_cursor& tokens) : tokens_(tokens), expressions_(tokens) {}

  block parse_all() {
    block all = parse_until({});
    return all;
  }

private:
  using names = std::initializer_list<std::string_view>;

  bool at_any(names ends) const {
    return std::any_of(ends.begin(), ends.end(), [&](std::string_view name) { return tokens_.at_name(name); });
  }

  static statement& add(block& body, statement_kind kind, uint32_t line) {
    statement& made = body.emplace_back();
    made.kind = kind;
    made.line = line;
    return made;
  }

  /// Up to a tag of one of these names, which is left to read; without names, up to the end of the template.
  block parse_until(names ends) {
    block body;
    while (true) {
      const uint32_t line = tokens_.line();
      if (tokens_.at(token_kind::data)) {
        statement& made = add(body, statement_kind::data, line);
        made.text = tokens_.take().text;
      } else if (tokens_.at(token_kind::variable_begin)) {
        tokens_.take();
        statement& made = add(body, statement_kind::print, line);
        made.value = expressions_.parse_tuple();
        tokens_.expect(token_kind::variable_end, "'}}'");
      } else if (tokens_.at(token_kind::block_begin)) {
        tokens_.take();
        if (at_any(ends)) return body;
        body.push_back(parse_statement());
        end_tag();
      } else {
        if (ends.size() > 0) tokens_.fail_here("the tag " + std::string(*(ends.end() - 1)));
        return body;
      }
    }
  }

  void end_tag() { tokens_.expect(token_kind::block_end, "the end of the tag"); }

  /// What follows the rest of a tag, up to one of these; that is left to read.
  block parse_body(names ends) {
    if (++depth_ > tree_depth_max) tokens_.fail("statements are nested too deeply");
    tokens_.skip_symbol(":");
    end_tag();
    block body = parse_until(ends);
    --depth_;
    return body;
  }
  block parse_body(std::string_view end) {
    block body = parse_body({end});
    tokens_.take();
    return body;
  }

  statement parse_statement() {
    const uint32_t line = tokens_.line();
    const std::string tag = tokens_.expect(token_kind::name, "the name of a tag").text;
    statement made;
    made.line = line;
    if (tag == "if") {
      parse_if(made);
    } else if (tag == "for") {
      parse_for(made);
    } else if (tag == "set") {
      parse_set(made);
    } else if (tag == "macro") {
      parse_macro(made);
    } else if (tag == "call") {
      parse_call_block(made);
    } else if (tag == "filter") {
      made.kind = statement_kind::filter_block;
      made.value = expressions_.parse_filters(nullptr, true);
      made.body = parse_scope(made, "endfilter");
    } else if (tag == "with") {
      parse_with(made);
    } else if (tag == "generation") {
      made.kind = statement_kind::scope;
      const loop_depth outside(*this, 0);
      made.body = parse_scope(made, "endgeneration");
    } else if (tag == "print") {
      made.kind = statement_kind::print;
      made.value = expressions_.parse_expression();
    } else if (tag == "break" || tag == "continue") {
      made.kind = tag == "break" ? statement_kind::leave_loop : statement_kind::next_round;
      if (loops_ == 0) fail_at_line(line, "{% " + tag + " %} outside of a loop");
    } else {
      fail_at_line(line, "the tag " + tag + " is not known, or not supported here");
    }
    return made;
  }

  /// While it lives, so many loops are around.
  class loop_depth {
  public:
    loop_depth(statement_parser& parser, uint32_t loops) : parser_(parser), before_(parser.loops_) { parser.loops_ = loops; }
    ~loop_depth() { parser_.loops_ = before_; }

  private:
    statement_parser& parser_;
    uint32_t before_;
  };

  /// A body with names of its own: notes whether it has macros in it.
  block parse_scope(statement& owner, std::string_view end) {
    const size_t before = macros_;
    block body = parse_body(end);
    owner.has_macros = macros_ != before;
    return body;
  }

  void parse_if(statement& made) {
    made.kind = statement_kind::condition;
    while (true) {
      branch& one = made.branches.emplace_back();
      one.condition = expressions_.parse_tuple(false);
      one.body = parse_body({"elif", "else", "endif"});
      if (tokens_.skip_name("elif")) continue;
      if (tokens_.skip_name("else")) {
        made.body = parse_body("endif");
      } else {
        tokens_.take();
      }
      return;
    }
  }

  void parse_for(statement& made) {
    made.kind = statement_kind::loop;
    made.target = expressions_.parse_target(false);
    if (names_loop(*made.target)) fail_at_line(made.line, "loop cannot be assigned to in a loop");
    tokens_.expect_name("in");
    made.value = expressions_.parse_tuple(false);
    if (tokens_.skip_name("if")) made.condition = expressions_.parse_expression();
    made.is_recursive = tokens_.skip_name("recursive");
    const size_t before = macros_;
    {
      const loop_depth inside(*this, loops_ + 1);
      made.body = parse_body({"else", "endfor"});
    }
    const bool has_else = tokens_.take().text == "else";
    if (has_else) made.otherwise = parse_body("endfor");
    made.has_macros = macros_ != before;
  }

  static bool names_loop(const expression& target) {
    if (target.kind == expression_kind::name) return target.name == "loop";
    return std::any_of(target.parts.begin(), target.parts.end(), [](const auto& part) { return names_loop(*part); });
  }

  void parse_set(statement& made) {
    made.target = expressions_.parse_target(true);
    if (tokens_.skip_symbol("=")) {
      made.kind = statement_kind::assignment;
      made.value = expressions_.parse_tuple();
      return;
    }
    made.kind = statement_kind::block_assignment;
    made.value = expressions_.parse_filters(nullptr, false);
    made.body = parse_scope(made, "endset");
  }

  void parse_parameters(statement& made) {
    tokens_.expect_symbol("(");
    while (!tokens_.at_symbol(")")) {
      if (!made.parameters.empty()) tokens_.expect_symbol(",");
      parameter one;
      one.name = tokens_.expect(token_kind::name, "the name of a parameter").text;
      if (tokens_.skip_symbol("=")) {
        one.otherwise = expressions_.parse_expression();
      } else if (!made.parameters.empty() && made.parameters.back().otherwise) {
        tokens_.fail("a parameter without a default follows one with a default");
      }
      for (const auto& other : made.parameters) {
        if (other.name == one.name) tokens_.fail("the parameter " + one.name + " is there twice");
      }
      made.parameters.push_back(std::move(one));
    }
    tokens_.take();
  }

  /// The body of what is called: it may name caller, varargs and kwargs.
  void parse_called_body(statement& made, std::string_view end) {
    std::set<std::string, std::less<>> outer = std::move(expressions_.names);
    expressions_.names.clear();
    const loop_depth outside(*this, 0);
    made.body = parse_scope(made, end);
    made.uses_caller = expressions_.names.count("caller") > 0;
    made.uses_varargs = expressions_.names.count("varargs") > 0;
    made.uses_kwargs = expressions_.names.count("kwargs") > 0;
    expressions_.names.merge(outer);
    ++macros_;
  }

  void parse_macro(statement& made) {
    made.kind = statement_kind::macro;
    made.text = tokens_.expect(token_kind::name, "the name of a macro").text;
    parse_parameters(made);
    parse_called_body(made, "endmacro");
  }

  void parse_call_block(statement& made) {
    made.kind = statement_kind::call_block;
    if (tokens_.at_symbol("(")) parse_parameters(made);
    made.value = expressions_.parse_expression();
    if (made.value->kind != expression_kind::call) fail_at_line(made.line, "a call block needs a call");
    parse_called_body(made, "endcall");
  }

  void parse_with(statement& made) {
    made.kind = statement_kind::with;
    while (!tokens_.at(token_kind::block_end)) {
      if (!made.targets.empty()) tokens_.expect_symbol(",");
      auto target = expressions_.parse_target(false);
      tokens_.expect_symbol("=");
      made.targets.emplace_back(std::move(target), expressions_.parse_expression());
    }
    made.body = parse_scope(made, "endwith");
  }

  token_cursor& tokens_;
  expression_parser expressions_;
  uint32_t depth_ = 0, loops_ = 0;
  size_t macros_ = 0; // Macros and call blocks read so far.
};

} // namespace

block parse_template(std::string_view source) {
  token_cursor tokens(read_tokens(source));
  return statement_parser(tokens).parse_all();
}

} // namespace troupe::jinja
