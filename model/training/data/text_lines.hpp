#pragma once
// A text or a file line by line, and the questions that are asked of a line.
#include "model/formats/input_file.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace troupe {

struct text_line {
  std::string_view text; // Without its end, "\n" or "\r\n". Of a file: until the next line is read.
  uint64_t begin, end;   // Positions in the whole; end is where the next line begins.
  bool is_start = true, is_end = true; // Of the line: false where a long one comes in pieces.
  uint64_t text_end() const { return begin + text.size(); }
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
    auto line = text_.substr(begin, position_ - begin);
    if (found != std::string_view::npos) line.remove_suffix(line.ends_with("\r\n") ? 2 : 1);
    return text_line{line, begin, position_};
  }

private:
  std::string_view text_;
  size_t position_ = 0;
};

/// The same of some bytes of a file. In memory is a window of some hundred KiB.
class line_reader {
public:
  static constexpr uint64_t window_bytes = 512 << 10;
  /// Of a line that is longer than this: whole: all of it is in memory. in_pieces: it is cut between characters, not within "\r\n".
  enum class long_lines : uint8_t { whole, in_pieces };

  line_reader(const input_file& file, uint64_t first, uint64_t last, long_lines longer)
      : file_(file), first_(first), last_(last), longer_(longer) {}

  std::optional<text_line> next() {
    size_t found = std::string::npos, searched = position_;
    while ((found = window_.find('\n', searched)) == std::string::npos) {
      if (longer_ == long_lines::in_pieces && window_.size() - position_ > window_bytes) return piece(window_.size() - 1);
      searched = window_.size() - position_; // Where it will be.
      if (!read_on()) break;
    }
    if (position_ == window_.size() && is_start_) return std::nullopt;
    return piece(found);
  }
  uint64_t number() const { return number_; } // Of the line that next() gave (the latest piece of), from 1.

private:
  /// What is up to the line's end at `found`; npos: up to the end of all. No end there: a part of it.
  text_line piece(size_t found) {
    const bool is_end = found == std::string::npos || window_[found] == '\n';
    size_t end = found == std::string::npos ? window_.size() : found + 1;
    auto text = std::string_view(window_).substr(position_, end - position_);
    if (!is_end) {
      for (int i = 0; i < 3 && (static_cast<unsigned char>(window_[end - 1]) & 0xC0) == 0x80; ++i) --end;
      if (static_cast<unsigned char>(window_[end - 1]) >= 0xC0) --end;
      if (window_[end - 1] == '\r') --end;
      text = text.substr(0, end - position_);
    } else if (found != std::string::npos) {
      text.remove_suffix(text.ends_with("\r\n") ? 2 : 1);
    }
    if (is_start_) ++number_;
    const text_line line{text, first_ + position_, first_ + end, is_start_, is_end};
    position_ = end;
    is_start_ = is_end;
    return line;
  }

  /// Drops what is done, and reads some more. False: there is no more.
  bool read_on() {
    const uint64_t known = first_ + window_.size();
    const auto more = size_t(std::min(window_bytes, last_ - known));
    if (more == 0) return false;
    window_.erase(0, position_);
    first_ += position_;
    position_ = 0;
    const size_t kept = window_.size();
    window_.resize(kept + more);
    file_.read(known, std::as_writable_bytes(std::span(window_).subspan(kept)));
    return true;
  }

  const input_file& file_;
  uint64_t first_, last_; // Where in the file the window begins, and where all ends.
  long_lines longer_;
  std::string window_;
  size_t position_ = 0; // In the window: what comes next.
  bool is_start_ = true; // Of a line: what comes next.
  uint64_t number_ = 0;
};

/// "\r\n" becomes "\n".
inline void drop_carriage_returns(std::string& text) {
  size_t kept = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 == text.size() || text[i + 1] != '\n') text[kept++] = text[i];
  text.resize(kept);
}

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
