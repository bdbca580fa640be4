#pragma once
// A text line by line, and the questions that are asked of a line.
#include "model/utf8.hpp"
#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace troupe {

struct text_line {
  std::string_view text; // Without its end, "\n" or "\r\n".
  size_t begin, end;     // Positions in the whole text; end is where the next line begins.
};

/// Walks through the lines of a text. One that ends the text without "\n" is a line too; what follows the last "\n" is none.
class line_walk {
public:
  explicit line_walk(std::string_view text) : text_(text) {}

  std::optional<text_line> next() {
    if (position_ == text_.size()) return std::nullopt;
    const size_t begin = position_;
    const size_t found = text_.find('\n', begin);
    position_ = found == std::string_view::npos ? text_.size() : found + 1;
    auto line = text_.substr(begin, (found == std::string_view::npos ? text_.size() : found) - begin);
    if (found != std::string_view::npos && line.ends_with('\r')) line.remove_suffix(1);
    ++number_;
    return text_line{line, begin, position_};
  }
  uint64_t number() const { return number_; } // Of the line that next() gave, from 1.

private:
  std::string_view text_;
  size_t position_ = 0;
  uint64_t number_ = 0;
};

inline bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

/// is_utf8(), eight bytes at a time where they are ASCII.
inline bool is_utf8_text(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    uint64_t word = 0;
    while (text.size() - position >= sizeof word) {
      std::memcpy(&word, text.data() + position, sizeof word);
      if ((word & 0x8080808080808080) != 0) break;
      position += sizeof word;
    }
    // The next few characters, whatever they are; a whole one may lead beyond `few`.
    for (const size_t few = std::min(text.size(), position + sizeof word); position < few;) {
      const auto step = utf8_next(text, position);
      if (step.state != utf8_state::whole) return false;
      position += step.bytes;
    }
  }
  return true;
}

} // namespace troupe
