#include "model/chat/jinja/lexer.hpp"
#include "model/chat/jinja/characters.hpp"
#include "model/chat/jinja/limits.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

namespace troupe::jinja {
namespace {

constexpr std::array<std::string_view, 26> symbols{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                                   "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"};

bool is_digit_byte(char byte) { return byte >= '0' && byte <= '9'; }
bool is_name_byte(char byte) {
  return is_digit_byte(byte) || byte == '_' || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}
int digit_value(char byte) {
  if (is_digit_byte(byte)) return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return 16;
}

/// All line ends are \n, and the template's last one is not part of it.
std::string with_plain_line_ends(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
    } else {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    }
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

class lexer {
public:
  explicit lexer(std::string source) : source_(std::move(source)) {}

  std::vector<token> run() {
    while (at_ < source_.size()) read_data();
    add(token_kind::end, "");
    return std::move(tokens_);
  }

private:
  [[noreturn]] void fail(std::string_view reason) const { fail_at_line(line_, reason); }
  bool sees(std::string_view what, size_t at) const { return std::string_view(source_).substr(at, what.size()) == what; }
  bool sees(std::string_view what) const { return sees(what, at_); }

  void move_to(size_t position) {
    line_ += uint32_t(std::count(source_.begin() + std::ptrdiff_t(at_), source_.begin() + std::ptrdiff_t(position), '\n'));
    at_ = position;
  }
  size_t behind_space(size_t position) const {
    const auto rest = std::string_view(source_).substr(position);
    return source_.size() - strip_left(rest).size();
  }

  void add(token_kind kind, std::string_view text) {
    tokens_.push_back({.kind = kind, .line = line_, .text = std::string(text)});
  }

  /// What stands before a tag, without the white space that the tag's sign ("-", "+", none) takes away.
  void add_data(std::string_view data, char sign, bool is_variable) {
    const bool begins_line = at_ == 0 || source_[at_ - 1] == '\n';
    if (sign == '-') {
      data = strip_right(data);
    } else if (sign != '+' && !is_variable) {
      const size_t line_begin = data.rfind('\n') + 1; // 0 where there is none.
      if ((line_begin > 0 || begins_line) && strip_left(data.substr(line_begin)).empty()) data = data.substr(0, line_begin);
    }
    if (!data.empty()) add(token_kind::data, data);
  }

  char sign_at(size_t position) const {
    const char sign = position < source_.size() ? source_[position] : ' ';
    return sign == '-' || sign == '+' ? sign : ' ';
  }

  /// Where the end of a tag that may begin at `position` ends; 0 where none does. "%}" takes a line end with it, "-%}" all white space.
  size_t end_of_tag(size_t position, std::string_view end, bool takes_line_end) const {
    if (sees("-", position) && sees(end, position + 1)) return behind_space(position + 1 + end.size());
    if (takes_line_end && sees("+", position) && sees(end, position + 1)) return position + 1 + end.size();
    if (!sees(end, position)) return 0;
    position += end.size();
    return takes_line_end && sees("\n", position) ? position + 1 : position;
  }

  void read_data() {
    size_t begin = at_;
    for (;; ++begin) {
      begin = source_.find('{', begin);
      if (begin == std::string::npos) {
        add(token_kind::data, std::string_view(source_).substr(at_));
        return move_to(source_.size());
      }
      if (sees("{{", begin) || sees("{%", begin) || sees("{#", begin)) break;
    }
    const char kind = source_[begin + 1];
    const char sign = sign_at(begin + 2);
    add_data(std::string_view(source_).substr(at_, begin - at_), sign, kind == '{');
    move_to(begin);
    const size_t inside = begin + 2 + (sign == ' ' ? 0 : 1);
    if (kind == '#') return skip_comment(inside);
    if (kind == '%' && read_raw(inside)) return;
    add(kind == '{' ? token_kind::variable_begin : token_kind::block_begin, "");
    move_to(inside);
    read_tag(kind == '{');
  }

  void skip_comment(size_t inside) {
    if (inside == source_.size()) return move_to(inside); // As jinja2 does.
    const size_t close = source_.find("#}", inside);
    if (close == std::string::npos) fail("a comment does not end");
    const char sign = close > inside ? source_[close - 1] : ' ';
    move_to(end_of_tag(sign == '-' || sign == '+' ? close - 1 : close, "#}", true));
  }

  /// {% raw %}...{% endraw %}: all between is data.
  bool read_raw(size_t inside) {
    size_t position = behind_space(inside);
    if (!sees("raw", position)) return false;
    position = behind_space(position + 3);
    if (sees("-%}", position)) {
      position = behind_space(position + 3);
    } else if (sees("%}", position)) {
      position += 2;
    } else {
      return false;
    }
    move_to(position);
    if (at_ == source_.size()) return true; // As jinja2 does.
    for (size_t end = source_.find("{%", at_); end != std::string::npos; end = source_.find("{%", end + 1)) {
      const char sign = sign_at(end + 2);
      const size_t word = behind_space(end + 2 + (sign == ' ' ? 0 : 1));
      if (!sees("endraw", word)) continue;
      const size_t behind = end_of_tag(behind_space(word + 6), "%}", true);
      if (behind == 0) continue;
      add_data(std::string_view(source_).substr(at_, end - at_), sign, false);
      move_to(behind);
      return true;
    }
    fail("{% raw %} has no {% endraw %}");
  }

  void read_tag(bool is_variable) {
    const uint32_t begin_line = line_;
    std::string open; // The brackets that are open, as what closes them.
    while (true) {
      if (at_ == source_.size()) fail_at_line(begin_line, "a tag that begins here does not end");
      if (open.empty()) {
        const size_t behind = end_of_tag(at_, is_variable ? "}}" : "%}", !is_variable);
        if (behind != 0) {
          add(is_variable ? token_kind::variable_end : token_kind::block_end, "");
          return move_to(behind);
        }
      }
      const size_t word = behind_space(at_);
      if (word != at_) {
        move_to(word);
        continue;
      }
      if (read_number() || read_integer() || read_name() || read_text() || read_symbol(open)) continue;
      size_t end = at_;
      next_character(source_, end);
      fail("unexpected character '" + source_.substr(at_, end - at_) + "'");
    }
  }

  /// Behind the digits at `position`, which single underscores may part; `position` itself where there are none.
  size_t behind_digits(size_t position) const {
    while (position < source_.size() && is_digit_byte(source_[position])) {
      ++position;
      if (position + 1 < source_.size() && source_[position] == '_' && is_digit_byte(source_[position + 1])) ++position;
    }
    return position;
  }

  std::string digits_until(size_t end) const {
    std::string digits = source_.substr(at_, end - at_);
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    return digits;
  }

  bool read_number() {
    if (at_ > 0 && source_[at_ - 1] == '.') return false;
    size_t end = behind_digits(at_);
    if (end == at_) return false;
    bool is_number = false;
    if (sees(".", end) && behind_digits(end + 1) != end + 1) {
      end = behind_digits(end + 1);
      is_number = true;
    }
    if (sees("e", end) || sees("E", end)) {
      const size_t digits = end + 1 + (sees("+", end + 1) || sees("-", end + 1) ? 1 : 0);
      if (behind_digits(digits) != digits) {
        end = behind_digits(digits);
        is_number = true;
      }
    }
    if (!is_number) return false;
    const std::string digits = digits_until(end);
    add(token_kind::number, "");
    const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), tokens_.back().number).ec;
    if (error != std::errc()) tokens_.back().number = std::strtod(digits.c_str(), nullptr); // Infinite, or zero.
    move_to(end);
    return true;
  }

  bool read_integer() {
    if (!is_digit_byte(source_[at_])) return false;
    int base = 10;
    size_t digits_begin = at_;
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char letter = char(source_[at_ + 1] | 0x20);
      const int wanted = letter == 'b' ? 2 : letter == 'o' ? 8 : letter == 'x' ? 16 : 10;
      size_t first = at_ + 2;
      if (sees("_", first)) ++first;
      if (wanted != 10 && first < source_.size() && digit_value(source_[first]) < wanted) {
        base = wanted;
        digits_begin = at_ + 2;
      }
    }
    const bool is_zero = base == 10 && source_[at_] == '0'; // Zeros only: 007 is no number.
    int64_t number = 0;
    size_t end = digits_begin;
    while (end < source_.size()) {
      const size_t digit = source_[end] == '_' && end > at_ ? end + 1 : end;
      if (digit >= source_.size() || digit_value(source_[digit]) >= (is_zero ? 1 : base)) break;
      if (__builtin_mul_overflow(number, int64_t(base), &number) ||
          __builtin_add_overflow(number, int64_t(digit_value(source_[digit])), &number)) {
        fail("an integer is beyond 64 bits");
      }
      end = digit + 1;
    }
    add(token_kind::integer, "");
    tokens_.back().integer = number;
    move_to(end);
    return true;
  }

  bool read_name() {
    size_t end = at_;
    while (end < source_.size() && is_name_byte(source_[end])) ++end;
    if (end == at_) return false;
    add(token_kind::name, std::string_view(source_).substr(at_, end - at_));
    move_to(end);
    return true;
  }

  bool read_text() {
    const char quote = source_[at_];
    if (quote != '"' && quote != '\'') return false;
    size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) fail("a string does not end");
    add(token_kind::text, without_escapes(std::string_view(source_).substr(at_ + 1, end - at_ - 1)));
    move_to(end + 1);
    return true;
  }

  bool read_symbol(std::string& open) {
    const auto found = std::find_if(symbols.begin(), symbols.end(), [&](std::string_view symbol) { return sees(symbol); });
    if (found == symbols.end()) return false;
    const char byte = (*found)[0];
    if (byte == '(' || byte == '[' || byte == '{') open += byte == '(' ? ')' : byte == '[' ? ']' : '}';
    if (byte == ')' || byte == ']' || byte == '}') {
      if (open.empty() || open.back() != byte) fail("unexpected '" + std::string(*found) + "'");
      open.pop_back();
    }
    add(token_kind::symbol, *found);
    move_to(at_ + found->size());
    return true;
  }

  /// The character of `digits` digits of a base behind a backslash; moves `at` behind them.
  void append_escaped(std::string& out, std::string_view body, size_t& at, int base, size_t digits_min, size_t digits_max) const {
    uint32_t character = 0;
    size_t digits = 0;
    while (digits < digits_max && at < body.size() && digit_value(body[at]) < base) {
      character = character * uint32_t(base) + uint32_t(digit_value(body[at++]));
      ++digits;
    }
    if (digits < digits_min) fail("a string has an escape without its digits");
    if (character > 0x10FFFF || (character >= 0xD800 && character < 0xE000)) fail("a string has an escape that is no character");
    append_utf8(out, character);
  }

  std::string without_escapes(std::string_view body) const {
    std::string out;
    for (size_t i = 0; i < body.size();) {
      if (body[i] != '\\') {
        out += body[i++];
        continue;
      }
      const char escaped = body[++i];
      constexpr std::string_view letters = "nrtabfv\\'\"", meanings = "\n\r\t\a\b\f\v\\'\"";
      if (const size_t letter = letters.find(escaped); letter != std::string_view::npos) {
        out += meanings[letter];
        ++i;
      } else if (escaped == '\n') {
        ++i;
      } else if (escaped == 'x' || escaped == 'u' || escaped == 'U') {
        const size_t digits = escaped == 'x' ? 2 : escaped == 'u' ? 4 : 8;
        append_escaped(out, body, ++i, 16, digits, digits);
      } else if (digit_value(escaped) < 8) {
        append_escaped(out, body, i, 8, 1, 3);
      } else if (escaped == 'N') {
        fail("escapes by name (\\N) are not supported");
      } else if (uint8_t(escaped) >= 0x80) { // jinja2 gives the backslash and the number of the character.
        const uint32_t character = next_character(body, i);
        char number[12];
        std::snprintf(number, sizeof number, character < 0x100 ? "\\x%02x" : character < 0x10000 ? "\\u%04x" : "\\U%08x", character);
        out += number;
      } else {
        out += '\\';
        out += escaped;
        ++i;
      }
    }
    return out;
  }

  const std::string source_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  std::vector<token> tokens_;
};

} // namespace

void fail_at_line(uint32_t line, std::string_view reason) {
  throw input_error("chat template, line " + std::to_string(line) + ": " + std::string(reason));
}

std::vector<token> read_tokens(std::string_view source) {
  if (source.size() > template_bytes_max) {
    throw input_error("chat template: has " + std::to_string(source.size()) + " bytes; at most " + std::to_string(template_bytes_max) +
                      " are read");
  }
  if (!is_utf8(source)) throw input_error("chat template: is not UTF-8");
  return lexer(with_plain_line_ends(source)).run();
}

} // namespace troupe::jinja
