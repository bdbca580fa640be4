#include "model/chat/jinja/characters.hpp"
#include "model/tokenizer/characters.hpp"
#include <algorithm>
#include <cstring>
#include <utf8proc.h>

namespace troupe::jinja {
namespace {

constexpr uint32_t sharp_s = 0xDF, capital_sigma = 0x3A3, final_sigma = 0x3C2;

utf8proc_category_t category(uint32_t character) { return utf8proc_category(utf8proc_int32_t(character)); }

bool begins_character(char byte) { return (uint8_t(byte) & 0xC0) != 0x80; }

void append_upper(std::string& out, uint32_t character) {
  if (character == sharp_s) {
    out += "SS";
  } else {
    append_utf8(out, uint32_t(utf8proc_toupper(utf8proc_int32_t(character))));
  }
}

void append_title(std::string& out, uint32_t character) {
  if (character == sharp_s) {
    out += "Ss";
  } else {
    append_utf8(out, uint32_t(utf8proc_totitle(utf8proc_int32_t(character))));
  }
}

/// Of the character between begin and end of all bytes: a capital sigma looks around itself.
void append_lower(std::string& out, std::string_view bytes, size_t begin, size_t end, uint32_t character) {
  if (character == capital_sigma) {
    bool follows_letter = false, precedes_letter = false;
    if (begin > 0) {
      size_t previous = begin - 1;
      while (!begins_character(bytes[previous])) --previous;
      follows_letter = is_cased(next_character(bytes, previous));
    }
    if (end < bytes.size()) precedes_letter = is_cased(next_character(bytes, end));
    if (follows_letter && !precedes_letter) return append_utf8(out, final_sigma);
  }
  append_utf8(out, uint32_t(utf8proc_tolower(utf8proc_int32_t(character))));
}

bool is_line_end(uint32_t character) {
  return (character >= 0x0A && character <= 0x0D) || (character >= 0x1C && character <= 0x1E) || character == 0x85 ||
         character == 0x2028 || character == 0x2029;
}

} // namespace

size_t count_characters(std::string_view bytes) { return size_t(std::count_if(bytes.begin(), bytes.end(), begins_character)); }

std::vector<size_t> character_offsets(std::string_view bytes) {
  std::vector<size_t> offsets;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (begins_character(bytes[i])) offsets.push_back(i);
  }
  offsets.push_back(bytes.size());
  return offsets;
}

size_t bytes_of(std::string_view bytes, size_t characters) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (begins_character(bytes[i]) && characters-- == 0) return i;
  }
  return bytes.size();
}

uint32_t next_character(std::string_view bytes, size_t& position) {
  if (uint8_t(bytes[position]) < 0x80) return uint8_t(bytes[position++]);
  const auto step = utf8_next(bytes, position);
  const uint32_t character = utf8_code_point(bytes.substr(position, step.bytes));
  position += step.bytes;
  return character;
}

bool is_space(uint32_t character) { return (character >= 0x1C && character <= 0x1F) || is_white_space(character); }
bool is_lower_case(uint32_t character) { return category(character) == UTF8PROC_CATEGORY_LL; }
bool is_upper_case(uint32_t character) { return category(character) == UTF8PROC_CATEGORY_LU; }
bool is_cased(uint32_t character) {
  const auto kind = category(character);
  return kind == UTF8PROC_CATEGORY_LL || kind == UTF8PROC_CATEGORY_LU || kind == UTF8PROC_CATEGORY_LT;
}
bool is_letter(uint32_t character) {
  const auto kind = category(character);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}
bool is_digit(uint32_t character) {
  const bool is_raised = character == 0xB2 || character == 0xB3 || character == 0xB9 || character == 0x2070 ||
                         (character >= 0x2074 && character <= 0x2079) || (character >= 0x2080 && character <= 0x2089);
  return is_raised || category(character) == UTF8PROC_CATEGORY_ND;
}
bool is_number(uint32_t character) {
  const auto kind = category(character);
  return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}
bool is_printable(uint32_t character) {
  if (character == ' ') return true;
  switch (category(character)) {
  case UTF8PROC_CATEGORY_CC:
  case UTF8PROC_CATEGORY_CF:
  case UTF8PROC_CATEGORY_CS:
  case UTF8PROC_CATEGORY_CO:
  case UTF8PROC_CATEGORY_CN:
  case UTF8PROC_CATEGORY_ZL:
  case UTF8PROC_CATEGORY_ZP:
  case UTF8PROC_CATEGORY_ZS: return false;
  default: return true;
  }
}

std::string_view strip(std::string_view bytes, std::optional<std::string_view> set, bool left, bool right) {
  const auto goes = [&](size_t position) {
    size_t end = position;
    const uint32_t character = next_character(bytes, end);
    return set ? set->find(bytes.substr(position, end - position)) != std::string_view::npos : is_space(character);
  };
  while (left && !bytes.empty() && goes(0)) {
    size_t end = 0;
    next_character(bytes, end);
    bytes.remove_prefix(end);
  }
  while (right && !bytes.empty()) {
    size_t last = bytes.size() - 1;
    while (!begins_character(bytes[last])) --last;
    if (!goes(last)) break;
    bytes = bytes.substr(0, last);
  }
  return bytes;
}

std::string_view strip_left(std::string_view bytes) { return strip(bytes, std::nullopt, true, false); }
std::string_view strip_right(std::string_view bytes) { return strip(bytes, std::nullopt, false, true); }

std::string to_upper(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) append_upper(out, next_character(bytes, at));
  return out;
}

std::string to_lower(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(bytes, at);
    append_lower(out, bytes, begin, at, character);
  }
  return out;
}

std::string to_title(std::string_view bytes) {
  std::string out;
  bool follows_letter = false;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(bytes, at);
    if (follows_letter) {
      append_lower(out, bytes, begin, at, character);
    } else {
      append_title(out, character);
    }
    follows_letter = is_cased(character);
  }
  return out;
}

std::string to_capitalised(std::string_view bytes) {
  std::string out;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const uint32_t character = next_character(bytes, at);
    if (begin == 0) {
      append_title(out, character);
    } else {
      append_lower(out, bytes, begin, at, character);
    }
  }
  return out;
}

std::vector<std::string_view> split_lines(std::string_view bytes, bool keeps_ends) {
  std::vector<std::string_view> lines;
  size_t begin = 0;
  for (size_t at = 0; at < bytes.size();) {
    const size_t end = at;
    const uint32_t character = next_character(bytes, at);
    if (!is_line_end(character)) continue;
    if (character == '\r' && at < bytes.size() && bytes[at] == '\n') ++at;
    lines.push_back(bytes.substr(begin, (keeps_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < bytes.size()) lines.push_back(bytes.substr(begin));
  return lines;
}

std::vector<std::string_view> split_words(std::string_view bytes, uint64_t splits_max, bool from_right) {
  std::vector<std::string_view> words;
  bytes = from_right ? strip_right(bytes) : strip_left(bytes);
  while (!bytes.empty()) {
    if (words.size() == splits_max) {
      words.push_back(bytes);
      break;
    }
    if (from_right) {
      size_t begin = bytes.size();
      while (begin > 0) {
        size_t previous = begin - 1;
        while (!begins_character(bytes[previous])) --previous;
        size_t end = previous;
        if (is_space(next_character(bytes, end))) break;
        begin = previous;
      }
      words.push_back(bytes.substr(begin));
      bytes = strip_right(bytes.substr(0, begin));
    } else {
      size_t end = 0;
      while (end < bytes.size()) {
        size_t next = end;
        if (is_space(next_character(bytes, next))) break;
        end = next;
      }
      words.push_back(bytes.substr(0, end));
      bytes = strip_left(bytes.substr(end));
    }
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

size_t find_first(std::string_view bytes, std::string_view wanted, size_t from) {
  if (from > bytes.size()) return std::string_view::npos;
  if (wanted.empty()) return from;
  const void* found = memmem(bytes.data() + from, bytes.size() - from, wanted.data(), wanted.size());
  return found == nullptr ? std::string_view::npos : size_t(static_cast<const char*>(found) - bytes.data());
}

} // namespace troupe::jinja
