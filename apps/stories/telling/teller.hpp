#pragma once
// Writes a story from patterns.
//
// A pattern is text with
//   [a|b|3*c]   one of the alternatives, drawn; "3*" makes one three times as likely; they may be empty and may contain patterns
//   {slot}      what a plot has set; drawn when it is first written, then the same to the end of the story
//   {the slot}  the same with "the" for "a"
//   {h}         the name of the character in the role h;  {h.he} its pronoun, and so on: see `attribute` in teller.cpp
//   {.his}      in a text of a kind: of the character that is spoken of
//   {^x}        {x} with a capital
//   <list>      one of the patterns of a list of phrases, drawn
//   a~          "a" or "an"
// Capitals at the start of sentences and a/an are set at the end (grammar.hpp).
#include "apps/stories/telling/choice.hpp"
#include "apps/stories/world/characters.hpp"
#include <functional>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe::stories {

/// The phrases of a list, by its name. Empty if there is no such list.
using phrase_lists = std::span<const std::string_view> (*)(std::string_view name);

class teller {
public:
  using ways = std::initializer_list<std::string_view>;

  teller(choice& draws, phrase_lists phrases) : draws_(draws), phrases_(phrases) {}

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

  /// Makes {slot} stand for the pattern. A slot that is set but never written draws nothing.
  void set(std::string_view slot, std::string_view pattern);
  /// What {slot} stands for; draws it if that has not been done.
  const std::string& value(std::string_view slot);
  /// What a pattern comes to when written now.
  std::string written(std::string_view pattern);

  /// Who plays the role. Drawn when the role is first named: who never appears costs no draw.
  void cast(char role, std::function<character(teller&)> draw);
  const character& who(char role);

  template <class Row, size_t Count>
  const Row& one_of(const Row (&table)[Count]) {
    return table[draws_.below(Count)];
  }
  choice& draws() { return draws_; }

  /// The story so far, spelled out. Throws std::logic_error if a pattern named what is not there.
  std::string text() const;

private:
  struct slot_value {
    std::string pattern;
    bool fixed = false;
  };

  void expand(std::string_view pattern, std::string& into);
  void expand_one(std::span<const std::string_view> patterns, std::string& into);
  void expand_name(std::string_view name, std::string& into);
  std::string_view attribute(const character& of, std::string_view name) const;

  choice& draws_;
  phrase_lists phrases_;
  std::string text_;
  bool next_is_paragraph_ = false;
  std::map<std::string, slot_value, std::less<>> slots_;
  struct casting {
    std::function<character(teller&)> draw; // Empty when it has been done.
    character who;
  };
  std::map<char, casting> roles_;
  const character* spoken_of_ = nullptr; // For {.his}.
};

} // namespace troupe::stories
