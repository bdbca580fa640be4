#include "model/utf8.hpp"
#include "model/error.hpp"

namespace troupe {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD"; // U+FFFD

struct lead {
  size_t bytes;                   // Of the whole character; 0: no character begins with this byte.
  uint8_t second_min, second_max; // Tighter than 80..BF where the long forms and surrogates would begin.
};

// Table 3-7 of the Unicode Standard.
lead lead_of(uint8_t byte) {
  if (byte < 0x80)
    return {1, 0, 0};
  if (byte < 0xC2)
    return {0, 0, 0};
  if (byte < 0xE0)
    return {2, 0x80, 0xBF};
  if (byte < 0xF0)
    return {3, static_cast<uint8_t>(byte == 0xE0 ? 0xA0 : 0x80),
            static_cast<uint8_t>(byte == 0xED ? 0x9F : 0xBF)};
  if (byte < 0xF5)
    return {4, static_cast<uint8_t>(byte == 0xF0 ? 0x90 : 0x80),
            static_cast<uint8_t>(byte == 0xF4 ? 0x8F : 0xBF)};
  return {0, 0, 0};
}

} // namespace

utf8_step utf8_next(std::string_view text, size_t position) {
  TROUPE_ASSERT(position < text.size());
  const auto first = lead_of(static_cast<uint8_t>(text[position]));
  if (first.bytes == 0)
    return {utf8_state::invalid, 1};
  for (size_t i = 1; i < first.bytes; ++i) {
    if (position + i == text.size())
      return {utf8_state::unfinished, i};
    const auto byte = static_cast<uint8_t>(text[position + i]);
    const uint8_t least = i == 1 ? first.second_min : 0x80;
    const uint8_t most = i == 1 ? first.second_max : 0xBF;
    if (byte < least || byte > most)
      return {utf8_state::invalid, i};
  }
  return {utf8_state::whole, first.bytes};
}

bool is_utf8(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    const auto step = utf8_next(text, position);
    if (step.state != utf8_state::whole) return false;
    position += step.bytes;
  }
  return true;
}

void append_utf8(std::string& text, uint32_t code_point) {
  TROUPE_ASSERT(code_point <= 0x10FFFF);
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | code_point >> 6);
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
    put(0x80 | (code_point >> 6 & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

uint32_t utf8_code_point(std::string_view character) {
  const auto first = static_cast<uint8_t>(character.front());
  uint32_t result = character.size() == 1 ? first : first & (0xFFu >> (character.size() + 1));
  for (size_t i = 1; i < character.size(); ++i)
    result = result << 6 | (static_cast<uint8_t>(character[i]) & 0x3Fu);
  return result;
}

std::string utf8_stream::push(std::string_view bytes) {
  held_ += bytes;
  std::string out;
  out.reserve(held_.size());
  size_t position = 0;
  while (position < held_.size()) {
    const auto step = utf8_next(held_, position);
    if (step.state == utf8_state::unfinished)
      break;
    if (step.state == utf8_state::whole)
      out.append(held_, position, step.bytes);
    else
      out += replacement;
    position += step.bytes;
  }
  held_.erase(0, position);
  return out;
}

std::string utf8_stream::finish() {
  const bool cut = !held_.empty();
  held_.clear();
  return cut ? std::string(replacement) : std::string();
}

} // namespace troupe
