#pragma once
// Writes a story from patterns: those of apps/generators/patterns.hpp, and besides
//   {the slot}  a slot with "the" for "a"
//   {h}         the name of the character in the role h;  {h.he} its pronoun, and so on: see `attribute` in teller.cpp
//   {.his}      in a text of a kind: of the character that is spoken of
//   a~          "a" or "an"
// Capitals at the start of sentences and a/an are set at the end (grammar.hpp).
#include "apps/generators/patterns.hpp"
#include "apps/stories/world/characters.hpp"
#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace troupe::stories {

using generators::choice;
using generators::phrase_lists;

class teller : public generators::pattern_writer {
public:
  using ways = std::initializer_list<std::string_view>;

  using pattern_writer::pattern_writer;

  /// Writes one of the patterns, as the next sentence or sentences of the paragraph.
  void say(std::span<const std::string_view> patterns);
  void say(ways patterns) { say(std::span(patterns.begin(), patterns.size())); }
  void say(std::string_view pattern) { say(std::span(&pattern, 1)); }
  /// The same, with a full stop unless the pattern ends in a closing quote.
  void say_sentence(std::string_view pattern);
  /// The same in `part` of `whole` cases, otherwise nothing.
  void maybe(ways patterns, uint32_t part = 2, uint32_t whole = 5);
  /// The next sentence begins a paragraph.
  void paragraph() { next_is_paragraph_ = true; }

  /// Who plays the role. Drawn when the role is first named: who never appears costs no draw.
  void cast(char role, std::function<character(teller&)> draw);
  const character& who(char role);

  /// The story so far, spelled out. Throws std::logic_error if a pattern named what is not there.
  std::string text() const;

private:
  void write_name(std::string_view name, std::string& into) override;
  std::string_view attribute(const character& of, std::string_view name) const;

  std::string text_;
  bool next_is_paragraph_ = false;
  struct casting {
    std::function<character(teller&)> draw; // Empty when it has been done.
    character who;
  };
  std::map<char, casting> roles_;
  const character* spoken_of_ = nullptr; // For {.his}.
};

} // namespace troupe::stories
