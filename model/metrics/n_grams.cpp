#include "model/metrics/n_grams.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <algorithm>

namespace troupe {

bool is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

namespace {

bool is_space_character(std::string_view character) {
  return utf8_next(character, 0).state == utf8_state::whole && is_space(utf8_code_point(character));
}

} // namespace

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> found;
  for (size_t at = 0; at < text.size();) {
    found.push_back(text.substr(at, utf8_next(text, at).bytes));
    at += found.back().size();
  }
  return found;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> found;
  size_t start = 0, at = 0;
  for (const std::string_view character : characters_of(text)) {
    if (is_space_character(character)) {
      if (at > start) found.push_back(text.substr(start, at - start));
      start = at + character.size();
    }
    at += character.size();
  }
  if (at > start) found.push_back(text.substr(start));
  return found;
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) {
    if (!text.empty()) text += ' ';
    text += word;
  }
  return text;
}

std::vector<std::string_view> n_grams(std::span<const std::string_view> units, size_t n) {
  TROUPE_ASSERT(n >= 1);
  std::vector<std::string_view> found;
  for (size_t first = 0; first + n <= units.size(); ++first) {
    const std::string_view last = units[first + n - 1];
    found.emplace_back(units[first].data(), static_cast<size_t>(last.data() + last.size() - units[first].data()));
  }
  std::sort(found.begin(), found.end());
  return found;
}

uint64_t common_n_grams(std::span<const std::string_view> some, std::span<const std::string_view> others) {
  uint64_t count = 0;
  for (size_t i = 0, j = 0; i < some.size() && j < others.size();) {
    const int order = some[i].compare(others[j]);
    if (order == 0) ++count;
    if (order <= 0) ++i;
    if (order >= 0) ++j;
  }
  return count;
}

} // namespace troupe
