#include "apps/stories/telling/grammar.hpp"

namespace troupe::stories {
namespace {

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool starts_a_sentence(std::string_view before) {
  if (before.empty() || before.back() == '\n') return true;
  if (before.back() != ' ') return false;
  before.remove_suffix(1);
  if (before.ends_with(".\"")) return true;
  return before.ends_with('.') || before.ends_with('!') || before.ends_with('?');
}

} // namespace

bool takes_an(std::string_view word) {
  for (const std::string_view silent : {"hour", "honest"}) {
    if (word.starts_with(silent)) return true;
  }
  for (const std::string_view sounded : {"use", "uni", "one"}) {
    if (word.starts_with(sounded)) return false;
  }
  return !word.empty() && std::string_view("aeiouAEIOU").find(word.front()) != std::string_view::npos;
}

std::string spelled_out(std::string_view text) {
  constexpr std::string_view opening = "\u201C", closing = "\u201D"; // Patterns have typographic quotes, which show the side.
  std::string result;
  result.reserve(text.size() + 16);
  bool capital = false;
  while (!text.empty()) {
    if (text.starts_with(opening)) {
      capital = starts_a_sentence(result);
      result += '"';
      text.remove_prefix(opening.size());
      continue;
    }
    if (text.starts_with(closing)) {
      result += '"';
      text.remove_prefix(closing.size());
      continue;
    }
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '~') {
      if (!text.empty() && takes_an(text.substr(1))) result += 'n';
      continue;
    }
    result += capital || starts_a_sentence(result) ? upper(c) : c;
    capital = false;
  }
  return result;
}

} // namespace troupe::stories
