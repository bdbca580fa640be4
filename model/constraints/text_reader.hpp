#pragma once
// Reads a text character by character, and says where it found what it cannot take.
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

class text_reader {
public:
  /// what: "the regular expression", for errors. Throws input_error for a text that is longer than bytes_max or no UTF-8.
  text_reader(std::string_view what, std::string_view text, size_t bytes_max) : what_(what), text_(text) {
    if (text.size() > bytes_max) fail_with("is longer than " + std::to_string(bytes_max) + " bytes");
    if (!is_utf8(text)) fail_with("is not valid UTF-8");
  }

  bool at_end() const { return at_ == text_.size(); }
  size_t position() const { return at_; }
  std::string_view rest() const { return text_.substr(at_); }
  /// 0 at the end.
  char peek(size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool skip(std::string_view expected) {
    if (!rest().starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  /// The next character; input_error at the end.
  uint32_t take() {
    if (at_end()) fail("ends too early");
    const size_t bytes = utf8_next(text_, at_).bytes;
    const uint32_t code = utf8_code_point(text_.substr(at_, bytes));
    at_ += bytes;
    return code;
  }
  uint32_t hexadecimal(size_t digits) {
    uint32_t value = 0;
    for (size_t i = 0; i < digits; ++i) {
      const uint32_t digit = take();
      if (digit >= '0' && digit <= '9') value = value * 16 + digit - '0';
      else if ((digit | 0x20) >= 'a' && (digit | 0x20) <= 'f') value = value * 16 + (digit | 0x20) - 'a' + 10;
      else fail("wanted " + std::to_string(digits) + " hexadecimal digits");
    }
    return value;
  }
  bool at_digit() const { return peek() >= '0' && peek() <= '9'; }
  /// At least one digit; at most `most`.
  uint32_t number(uint32_t most) {
    if (!at_digit()) fail("wanted a number");
    uint64_t value = 0;
    while (at_digit()) {
      value = value * 10 + uint64_t(peek() - '0');
      ++at_;
      if (value > most) fail("has a number above " + std::to_string(most));
    }
    return uint32_t(value);
  }

  [[noreturn]] void fail(const std::string& reason) const { fail_with("at byte " + std::to_string(at_) + ": " + reason); }

private:
  [[noreturn]] void fail_with(const std::string& reason) const { throw input_error(what_ + " " + reason); }

  std::string what_;
  std::string_view text_;
  size_t at_ = 0;
};

} // namespace troupe
