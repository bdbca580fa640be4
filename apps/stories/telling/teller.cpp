#include "apps/stories/telling/teller.hpp"
#include "apps/stories/telling/grammar.hpp"
#include <utility>

namespace troupe::stories {
namespace {

/// "a red cap", "a~ old cap": "the red cap", "the old cap".
std::string definite(std::string_view words) {
  for (const std::string_view article : {"a ", "an ", "a~ "}) {
    if (words.starts_with(article)) return "the " + std::string(words.substr(article.size()));
  }
  return std::string(words);
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
  if (draws().chance(part, whole)) say(patterns);
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

void teller::write_name(std::string_view name, std::string& into) {
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
