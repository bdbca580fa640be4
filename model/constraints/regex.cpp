#include "model/constraints/regex.hpp"
#include "model/constraints/text_reader.hpp"
#include <algorithm>
#include <optional>
#include <string>

namespace troupe {
namespace {

constexpr size_t regex_bytes_max = 1 << 16;
constexpr uint32_t repetitions_max = 1 << 18;
constexpr int depth_max = 100;

bool is_punctuation(uint32_t code) {
  return code > 0x20 && code < 0x7f && !(code >= '0' && code <= '9') && !((code | 0x20) >= 'a' && (code | 0x20) <= 'z');
}

/// The set of a class such as \w.
code_set class_of_escape(char letter) {
  static const code_set digits{{'0', '9'}}, words = make_code_set({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}),
                        spaces = make_code_set({{'\t', '\r'}, {' ', ' '}}),
                        all_spaces = make_code_set({{'\t', '\r'}, {' ', ' '}, {0x1c, 0x1f}, {0x85, 0x85}, {0xa0, 0xa0}, {0x1680, 0x1680},
                                                    {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f},
                                                    {0x3000, 0x3000}, {0xfeff, 0xfeff}});
  switch (letter) {
  case 'd': return digits;
  case 'w': return words;
  case 's': return spaces;
  case 'D': return complement(digits);
  case 'W': return complement(words);
  default: return complement(all_spaces);
  }
}

class regex_reader {
public:
  regex_reader(std::string_view text, regex_anchors anchors)
    : in_("the regular expression", text, regex_bytes_max), anchors_(anchors) {}

  expression_ptr read() {
    std::vector<expression_ptr> choices;
    do choices.push_back(read_anchored());
    while (in_.skip("|"));
    if (!in_.at_end()) in_.fail(") without a (");
    return choice_of(std::move(choices));
  }

private:
  static expression_ptr anything() { return repeated(one_of(all_characters()), 0, expression::unbounded); }

  /// An alternative that is in no group.
  expression_ptr read_anchored() {
    const bool from_start = in_.skip("^");
    auto body = read_sequence(0);
    const bool to_end = in_.skip("$");
    if (to_end && !in_.at_end() && in_.peek() != '|' && in_.peek() != ')') in_.fail("$ is supported at the end only");
    if (anchors_ == regex_anchors::whole_text) return body;
    std::vector<expression_ptr> parts;
    if (!from_start) parts.push_back(anything());
    parts.push_back(std::move(body));
    if (!to_end) parts.push_back(anything());
    return sequence_of(std::move(parts));
  }

  expression_ptr read_choice(int depth) {
    if (depth > depth_max) in_.fail("has groups nested too deeply");
    std::vector<expression_ptr> choices;
    do choices.push_back(read_sequence(depth));
    while (in_.skip("|"));
    return choice_of(std::move(choices));
  }

  expression_ptr read_sequence(int depth) {
    std::vector<expression_ptr> parts;
    while (!in_.at_end() && in_.peek() != '|' && in_.peek() != ')') {
      if (in_.peek() == '$' && depth == 0) break;
      parts.push_back(read_repeated(depth));
    }
    if (parts.size() == 1) return parts.front();
    return sequence_of(std::move(parts));
  }

  expression_ptr read_repeated(int depth) {
    auto part = read_atom(depth);
    const auto bounds = read_bounds();
    if (!bounds) return part;
    in_.skip("?"); // As little as possible: the same texts.
    if (in_.peek() == '+') in_.fail("possessive repetition is not supported");
    if (in_.peek() == '*' || in_.peek() == '?' || at_bounds()) in_.fail("a repetition of a repetition needs a group");
    return repeated(std::move(part), bounds->first, bounds->second);
  }

  /// Whether a {m}, {m,} or {m,n} follows; any other { stands for itself in some dialects, and is refused here.
  bool at_bounds() const { return in_.peek() == '{'; }

  std::optional<std::pair<uint32_t, uint32_t>> read_bounds() {
    if (in_.skip("*")) return std::pair(0u, expression::unbounded);
    if (in_.skip("+")) return std::pair(1u, expression::unbounded);
    if (in_.skip("?")) return std::pair(0u, 1u);
    if (!in_.skip("{")) return std::nullopt;
    const uint32_t least = in_.number(repetitions_max);
    uint32_t most = least;
    if (in_.skip(",")) most = in_.at_digit() ? in_.number(repetitions_max) : expression::unbounded;
    if (!in_.skip("}")) in_.fail("wanted } after the bounds of a repetition");
    if (most < least) in_.fail("a repetition has bounds in the wrong order");
    return std::pair(least, most);
  }

  expression_ptr read_atom(int depth) {
    const char next = in_.peek();
    if (in_.skip("(")) {
      if (in_.peek() == '?' && !in_.skip("?:")) in_.fail("of groups that begin with (? only (?: is supported");
      auto inside = read_choice(depth + 1);
      if (!in_.skip(")")) in_.fail("wanted )");
      return inside;
    }
    if (in_.skip("[")) return one_of(read_class());
    if (in_.skip(".")) return one_of(complement(make_code_set({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}})));
    if (next == '^') in_.fail("^ is supported at the beginning only");
    if (next == '$') in_.fail("$ is supported at the end only");
    if (next == '*' || next == '+' || next == '?' || next == '{') in_.fail("there is nothing to repeat");
    if (next == '}' || next == ']') in_.fail("a " + std::string(1, next) + " that stands for itself needs a backslash");
    if (in_.skip("\\")) return one_of(read_escape());
    const uint32_t code = in_.take();
    return one_of({{code, code}});
  }

  /// After the backslash.
  code_set read_escape() {
    const uint32_t code = in_.take();
    switch (code) {
    case 'd': case 'D': case 'w': case 'W': case 's': case 'S': return class_of_escape(char(code));
    case 'n': return {{'\n', '\n'}};
    case 'r': return {{'\r', '\r'}};
    case 't': return {{'\t', '\t'}};
    case 'f': return {{'\f', '\f'}};
    case 'v': return {{'\v', '\v'}};
    case 'x': return one_character(in_.hexadecimal(2));
    case 'u': return one_character(read_unicode());
    case '0':
      if (!in_.at_digit()) return {{0, 0}};
      break;
    default:
      if (is_punctuation(code)) return {{code, code}};
    }
    in_.fail("this escape is not supported");
  }

  uint32_t read_unicode() {
    if (!in_.skip("{")) return in_.hexadecimal(4);
    size_t digits = 0;
    while (digits <= 6 && in_.peek(digits) != '}') ++digits;
    if (digits == 0 || digits > 6) in_.fail("wanted 1 to 6 hexadecimal digits and a }");
    const uint32_t code = in_.hexadecimal(digits);
    in_.skip("}");
    return code;
  }

  code_set one_character(uint32_t code) {
    auto set = make_code_set({{code, code}});
    if (set.empty()) in_.fail("there is no such character");
    return set;
  }

  /// After the [.
  code_set read_class() {
    const bool is_negated = in_.skip("^");
    if (in_.peek() == ']') in_.fail("an empty class, or a ] that needs a backslash");
    std::vector<code_range> ranges;
    while (!in_.skip("]")) {
      const auto first = read_class_item();
      const bool is_range = in_.peek() == '-' && in_.peek(1) != ']';
      if (!is_range) {
        ranges.insert(ranges.end(), first.begin(), first.end());
        continue;
      }
      in_.skip("-");
      const auto last = read_class_item();
      const auto is_one = [](const code_set& set) { return set.size() == 1 && set[0].first == set[0].last; };
      if (!is_one(first) || !is_one(last)) in_.fail("a range must be from a character to a character");
      if (first[0].first > last[0].first) in_.fail("a range is in the wrong order");
      ranges.push_back({first[0].first, last[0].first});
    }
    auto set = make_code_set(std::move(ranges));
    if (is_negated) set = complement(set);
    if (set.empty()) in_.fail("a class that no character is in");
    return set;
  }

  code_set read_class_item() {
    if (in_.skip("\\")) {
      if (in_.skip("b")) return {{'\b', '\b'}};
      return read_escape();
    }
    const uint32_t code = in_.take();
    return make_code_set({{code, code}});
  }

  text_reader in_;
  regex_anchors anchors_;
};

} // namespace

expression_ptr read_regex(std::string_view text, regex_anchors anchors) { return regex_reader(text, anchors).read(); }

} // namespace troupe
