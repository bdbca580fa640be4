#include "apps/stories/telling/teller.hpp"
#include "apps/stories/telling/grammar.hpp"
#include <algorithm>
#include <stdexcept>
#include <utility>

namespace troupe::stories {
namespace {

[[noreturn]] void wrong(std::string_view what, std::string_view where) {
  throw std::logic_error("stories: " + std::string(what) + ": " + std::string(where));
}

/// The position after the bracket that closes the one at `open`.
size_t after_closing(std::string_view pattern, size_t open) {
  int depth = 0;
  for (size_t at = open; at < pattern.size(); ++at) {
    if (pattern[at] == '[') ++depth;
    if (pattern[at] == ']' && --depth == 0) return at + 1;
  }
  wrong("a bracket is not closed", pattern);
}

/// "a|b[c|d]|e" without the outer brackets, at its outer bars.
void split(std::string_view inside, std::vector<std::string_view>& parts) {
  int depth = 0;
  size_t start = 0;
  for (size_t at = 0; at < inside.size(); ++at) {
    if (inside[at] == '[') ++depth;
    if (inside[at] == ']') --depth;
    if (inside[at] == '|' && depth == 0) {
      parts.push_back(inside.substr(start, at - start));
      start = at + 1;
    }
  }
  parts.push_back(inside.substr(start));
}

/// "a red cap", "a~ old cap": "the red cap", "the old cap".
std::string definite(std::string_view words) {
  for (const std::string_view article : {"a ", "an ", "a~ "}) {
    if (words.starts_with(article)) return "the " + std::string(words.substr(article.size()));
  }
  return std::string(words);
}

/// Takes "3*" off a pattern.
uint32_t take_weight(std::string_view& pattern) {
  if (pattern.size() < 2 || pattern[1] != '*' || pattern[0] < '1' || pattern[0] > '9') return 1;
  const uint32_t weight = static_cast<uint32_t>(pattern[0] - '0');
  pattern.remove_prefix(2);
  return weight;
}

} // namespace

void teller::say(std::span<const std::string_view> patterns) {
  const size_t before = text_.size();
  if (!text_.empty()) text_ += next_is_paragraph_ ? '\n' : ' ';
  const size_t start = text_.size();
  expand_one(patterns, text_);
  if (text_.size() == start) {
    text_.resize(before); // Nothing was said.
  } else {
    next_is_paragraph_ = false;
  }
}

void teller::say_sentence(std::string_view pattern) {
  say(pattern);
  if (!pattern.ends_with("\u201D")) text_ += '.';
}

void teller::maybe(ways patterns, uint32_t part, uint32_t whole) {
  if (draws_.chance(part, whole)) say(patterns);
}

void teller::set(std::string_view slot, std::string_view pattern) {
  slots_.insert_or_assign(
    std::string(slot), slot_value{std::string(pattern), pattern.find_first_of("[{<") == std::string_view::npos});
}

const std::string& teller::value(std::string_view slot) {
  const auto found = slots_.find(slot);
  if (found == slots_.end()) wrong("a slot is not set", slot);
  slot_value& entry = found->second;
  if (!entry.fixed) {
    entry.pattern = written(entry.pattern);
    entry.fixed = true;
  }
  return entry.pattern;
}

std::string teller::written(std::string_view pattern) {
  std::string result;
  expand(pattern, result);
  return result;
}

void teller::cast(char role, std::function<character(teller&)> draw) {
  roles_.insert_or_assign(role, casting{std::move(draw), {}});
}

const character& teller::who(char role) {
  const auto found = roles_.find(role);
  if (found == roles_.end()) wrong("nobody has the role", std::string_view(&role, 1));
  casting& entry = found->second;
  if (entry.draw) entry.who = std::exchange(entry.draw, nullptr)(*this);
  return entry.who;
}

std::string teller::text() const { return spelled_out(text_); }

void teller::expand_one(std::span<const std::string_view> patterns, std::string& into) {
  if (patterns.size() == 1) return expand(patterns[0], into);
  std::array<uint32_t, 64> weights;
  if (patterns.empty() || patterns.size() > weights.size()) wrong("no patterns, or too many", "");
  bool equal = true;
  for (size_t i = 0; i < patterns.size(); ++i) {
    std::string_view pattern = patterns[i];
    weights[i] = take_weight(pattern);
    equal = equal && weights[i] == weights[0];
  }
  const auto count = static_cast<uint32_t>(patterns.size());
  std::string_view chosen = patterns[equal ? draws_.below(count) : draws_.weighted({weights.data(), count})];
  take_weight(chosen);
  expand(chosen, into);
}

void teller::expand(std::string_view pattern, std::string& into) {
  std::vector<std::string_view> parts;
  for (size_t at = 0; at < pattern.size();) {
    const size_t special = std::min(pattern.find_first_of("[{<", at), pattern.size());
    into += pattern.substr(at, special - at);
    if (special == pattern.size()) return;
    if (pattern[special] == '[') {
      at = after_closing(pattern, special);
      parts.clear();
      split(pattern.substr(special + 1, at - special - 2), parts);
      expand_one(parts, into);
      continue;
    }
    const bool slot = pattern[special] == '{';
    const size_t closing = pattern.find(slot ? '}' : '>', special);
    if (closing == std::string_view::npos) wrong("a slot is not closed", pattern);
    const std::string_view name = pattern.substr(special + 1, closing - special - 1);
    at = closing + 1;
    if (slot) {
      expand_name(name, into);
    } else {
      const auto list = phrases_(name);
      if (list.empty()) wrong("there is no list of phrases", name);
      expand_one(list, into);
    }
  }
}

void teller::expand_name(std::string_view name, std::string& into) {
  const bool capital = name.starts_with('^');
  if (capital) name.remove_prefix(1);
  const size_t start = into.size();
  const size_t dot = name.find('.');
  if (dot == 0) {
    if (spoken_of_ == nullptr) wrong("nobody is spoken of", name);
    into += attribute(*spoken_of_, name.substr(1));
  } else if (name.size() == 1 || dot == 1) {
    const character& of = who(name[0]);
    const std::string_view text = attribute(of, dot == 1 ? name.substr(2) : "name");
    const character* before = std::exchange(spoken_of_, &of);
    expand(text, into);
    spoken_of_ = before;
  } else if (name.starts_with("the ")) {
    into += definite(value(name.substr(4)));
  } else {
    into += value(name);
  }
  if (capital) into.replace(start, std::string::npos, capitalised(std::string_view(into).substr(start)));
}

std::string_view teller::attribute(const character& of, std::string_view name) const {
  const auto by_sex = [&](std::string_view she, std::string_view he) { return of.female ? she : he; };
  if (name == "name") return of.name;
  if (name == "he") return by_sex("she", "he");
  if (name == "him") return by_sex("her", "him");
  if (name == "his") return by_sex("her", "his");
  if (name == "himself") return by_sex("herself", "himself");
  if (name == "kind") return of.kind_name;
  if (name == "the")
    return of.elder ? "the old {.kind}" : of.body && of.body->size == 1 ? "the [little |]{.kind}" : "the {.kind}";
  if (of.elder && name == "seat") return of.elder->seat;
  if (of.body) {
    if (name == "went") return of.body->went;
    if (name == "home") return of.body->home;
    if (name == "carry") return of.body->carry;
    if (name == "joy") return of.body->joy;
    if (name == "sad") return of.body->sad;
    if (name == "fear") return of.body->fear;
  }
  wrong("a character has no", name);
}

} // namespace troupe::stories
