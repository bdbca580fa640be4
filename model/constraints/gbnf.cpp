#include "model/constraints/gbnf.hpp"
#include "model/constraints/text_reader.hpp"
#include <map>
#include <string>

namespace troupe {
namespace {

constexpr size_t grammar_bytes_max = 1 << 18;
constexpr uint32_t repetitions_max = 1 << 18;
constexpr uint64_t inline_size_max = 64;
constexpr int depth_max = 100;

bool is_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; }

class gbnf_reader {
public:
  explicit gbnf_reader(std::string_view text) : in_("the grammar", text, grammar_bytes_max) {}

  constraint_grammar read() {
    find_rule("root");
    for (skip_space(true); !in_.at_end(); skip_space(true)) read_rule();
    for (const auto& rule : grammar_.rules)
      if (!rule.body) in_.fail("there is no rule " + rule.name);
    choose_inline();
    return std::move(grammar_);
  }

private:
  void skip_space(bool over_lines) {
    for (;;) {
      const char next = in_.peek();
      if (next == ' ' || next == '\t' || (over_lines && (next == '\n' || next == '\r'))) in_.take();
      else if (next == '#') while (!in_.at_end() && in_.peek() != '\n' && in_.peek() != '\r') in_.take();
      else return;
    }
  }

  uint32_t find_rule(const std::string& name) {
    const auto [place, is_new] = numbers_.try_emplace(name, uint32_t(grammar_.rules.size()));
    if (is_new) grammar_.add(name, nullptr);
    return place->second;
  }

  std::string read_name() {
    std::string name;
    while (is_name(in_.peek())) name += char(in_.take());
    if (name.empty()) in_.fail("wanted a name");
    return name;
  }

  void read_rule() {
    const auto name = read_name();
    skip_space(false);
    if (!in_.skip("::=")) in_.fail("wanted ::= after the name of a rule");
    skip_space(true);
    const uint32_t rule = find_rule(name);
    if (grammar_.rules[rule].body) in_.fail("the rule " + name + " was there before");
    auto body = read_choice(0);
    grammar_.rules[rule].body = std::move(body);
    if (!in_.at_end() && in_.peek() != '\n' && in_.peek() != '\r') in_.fail("wanted the end of the line");
  }

  expression_ptr read_choice(int depth) {
    if (depth > depth_max) in_.fail("parentheses are nested too deeply");
    std::vector<expression_ptr> choices;
    for (;;) {
      choices.push_back(read_sequence(depth));
      if (!in_.skip("|")) break;
      skip_space(true);
    }
    return choice_of(std::move(choices));
  }

  expression_ptr read_sequence(int depth) {
    std::vector<expression_ptr> parts;
    for (int repetitions = 0;;) {
      const char next = in_.peek();
      repetitions = next == '*' || next == '+' || next == '?' || next == '{' ? repetitions + 1 : 0;
      if (repetitions > depth_max) in_.fail("too many repetitions of one thing");
      if (next == '"') parts.push_back(read_literal());
      else if (next == '[') parts.push_back(read_class());
      else if (in_.skip(".")) parts.push_back(one_of(all_characters()));
      else if (is_name(next)) parts.push_back(rule_of(find_rule(read_name())));
      else if (in_.skip("(")) {
        skip_space(true);
        parts.push_back(read_choice(depth + 1));
        if (!in_.skip(")")) in_.fail("wanted )");
      } else if (repetitions > 0) {
        if (parts.empty()) in_.fail("there is nothing to repeat");
        read_repetition(parts.back());
      } else {
        break;
      }
      skip_space(depth > 0);
    }
    if (parts.size() == 1) return parts.front();
    return sequence_of(std::move(parts));
  }

  void read_repetition(expression_ptr& part) {
    uint32_t least = 0, most = expression::unbounded;
    if (in_.skip("?")) most = 1;
    else if (in_.skip("+")) least = 1;
    else if (in_.skip("{")) {
      skip_space(false);
      least = most = in_.number(repetitions_max);
      skip_space(false);
      if (in_.skip(",")) {
        skip_space(false);
        most = in_.at_digit() ? in_.number(repetitions_max) : expression::unbounded;
        skip_space(false);
      }
      if (!in_.skip("}")) in_.fail("wanted } after the bounds of a repetition");
      if (most < least) in_.fail("a repetition has bounds in the wrong order");
    } else {
      in_.skip("*");
    }
    part = repeated(std::move(part), least, most);
  }

  uint32_t read_character() {
    if (!in_.skip("\\")) return in_.take();
    const uint32_t code = in_.take();
    switch (code) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case '\\': case '"': case '[': case ']': case '-': case '^': return code;
    case 'x': return checked(in_.hexadecimal(2));
    case 'u': return checked(in_.hexadecimal(4));
    case 'U': return checked(in_.hexadecimal(8));
    default: in_.fail("this escape is not supported");
    }
  }

  uint32_t checked(uint32_t code) {
    if (make_code_set({{code, code}}).empty()) in_.fail("there is no such character");
    return code;
  }

  expression_ptr read_literal() {
    in_.skip("\"");
    std::string text;
    while (!in_.skip("\"")) append_utf8(text, read_character());
    return text_of(std::move(text));
  }

  expression_ptr read_class() {
    in_.skip("[");
    const bool is_negated = in_.skip("^");
    std::vector<code_range> ranges;
    while (!in_.skip("]")) {
      const uint32_t first = read_character();
      uint32_t last = first;
      if (in_.peek() == '-' && in_.peek(1) != ']') {
        in_.skip("-");
        last = read_character();
        if (last < first) in_.fail("a range is in the wrong order");
      }
      ranges.push_back({first, last});
    }
    auto set = make_code_set(std::move(ranges));
    if (is_negated) set = complement(set);
    if (set.empty()) in_.fail("a class that no character is in");
    return one_of(std::move(set));
  }

  /// The size of a tree with its rules put in place; too large where one of them is not.
  uint64_t inlined_size(const expression& e) const {
    if (e.what == expression::kind::rule)
      return grammar_.rules[e.rule].is_inline ? inlined_[e.rule] + 1 : expression::size_max; // So chains of them are short.
    if (e.parts.empty() || e.size > inline_size_max) return e.size;
    uint64_t size = 1;
    for (const auto& part : e.parts) size = std::min(expression::size_max, size + inlined_size(*part));
    if (e.what != expression::kind::repeat) return size;
    const uint32_t times = e.most == expression::unbounded ? e.least + 1 : e.most;
    size = std::min(expression::size_max, size * std::max(1u, times)); // No overflow: the tree itself is small.
    return size;
  }

  /// Rules that are small and mention no others but such.
  void choose_inline() {
    inlined_.assign(grammar_.rules.size(), 0);
    for (int round = 0; round < 4; ++round)
      for (uint32_t rule = 1; rule < grammar_.rules.size(); ++rule) {
        if (grammar_.rules[rule].is_inline) continue;
        inlined_[rule] = inlined_size(*grammar_.rules[rule].body);
        grammar_.rules[rule].is_inline = inlined_[rule] <= inline_size_max;
      }
  }

  text_reader in_;
  constraint_grammar grammar_;
  std::map<std::string, uint32_t> numbers_;
  std::vector<uint64_t> inlined_;
};

} // namespace

constraint_grammar read_gbnf(std::string_view text) { return gbnf_reader(text).read(); }

} // namespace troupe
