#pragma once
// UTF-8: one character at a time, and as a stream.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace troupe {

enum class utf8_state : uint8_t {
  whole,      // A valid character.
  unfinished, // The beginning of a valid character, cut off by the end of the text.
  invalid,    // No continuation makes these bytes valid.
};

struct utf8_step {
  utf8_state state;
  size_t bytes; // How far the step goes; at least 1.
};

/// What begins at `position` (< text.size()). Invalid bytes are taken as far as they could have begun a
/// character, the "maximal subpart" of the Unicode Standard 3.9, so that one U+FFFD stands for one damaged
/// character.
utf8_step utf8_next(std::string_view text, size_t position);

/// True when nothing in `text` is cut off or invalid.
bool is_utf8(std::string_view text);

/// Appends one character. code_point: at most U+10FFFF and no surrogate.
void append_utf8(std::string& text, uint32_t code_point);

/// The one character of a valid step.
uint32_t utf8_code_point(std::string_view character);

/// Turns a stream of token bytes into a stream of whole UTF-8 characters: holds back the bytes of an unfinished one;
/// bytes that can never become valid turn into U+FFFD.
class utf8_stream {
public:
  std::string push(std::string_view bytes); // What became complete.
  std::string finish();                     // What was held back, as U+FFFD.

private:
  std::string held_;
};

} // namespace troupe
