#pragma once
// Where a parser stands among the tokens.
#include "model/chat/jinja/lexer.hpp"
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::jinja {

class token_cursor {
public:
  explicit token_cursor(std::vector<token> tokens) : tokens_(std::move(tokens)) {}

  const token& current() const { return tokens_[at_]; }
  const token& following() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  uint32_t line() const { return current().line; }
  bool at(token_kind kind) const { return current().kind == kind; }
  bool at_name(std::string_view name) const { return at(token_kind::name) && current().text == name; }
  bool at_symbol(std::string_view symbol) const { return at(token_kind::symbol) && current().text == symbol; }

  const token& take() {
    const token& taken = tokens_[at_];
    if (at_ + 1 < tokens_.size()) ++at_;
    return taken;
  }
  bool skip_name(std::string_view name) { return at_name(name) && (take(), true); }
  bool skip_symbol(std::string_view symbol) { return at_symbol(symbol) && (take(), true); }

  const token& expect(token_kind kind, std::string_view what) {
    if (!at(kind)) fail_here(what);
    return take();
  }
  void expect_name(std::string_view name) {
    if (!skip_name(name)) fail_here("'" + std::string(name) + "'");
  }
  void expect_symbol(std::string_view symbol) {
    if (!skip_symbol(symbol)) fail_here("'" + std::string(symbol) + "'");
  }

  [[noreturn]] void fail(std::string_view reason) const { fail_at_line(line(), reason); }
  [[noreturn]] void fail_here(std::string_view wanted) const;

private:
  std::vector<token> tokens_;
  size_t at_ = 0;
};

} // namespace troupe::jinja
