#pragma once
// Writes texts from patterns.
//
// A pattern is text with
//   [a|b|3*c]   one of the alternatives, drawn; "3*" makes one three times as likely; they may be empty and may contain patterns
//   {name}      what somebody has set under this name; drawn when it is first written, then the same to the end
//   {^name}     {name} with a capital
//   <list>      one of the patterns of a list of phrases, drawn
#include "apps/generators/choice.hpp"
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace troupe::generators {

/// The phrases of a list, by its name. Empty if there is no such list.
using phrase_lists = std::span<const std::string_view> (*)(std::string_view name);
inline std::span<const std::string_view> no_phrases(std::string_view) { return {}; }

/// The same with a capital; ASCII letters only.
std::string capitalised(std::string_view words);

/// Everything here throws std::logic_error if a pattern names what is not there.
class pattern_writer {
public:
  explicit pattern_writer(choice& draws, phrase_lists phrases = no_phrases) : draws_(draws), phrases_(phrases) {}
  virtual ~pattern_writer() = default;
  pattern_writer(const pattern_writer&) = delete;
  pattern_writer& operator=(const pattern_writer&) = delete;

  /// Makes {name} stand for the pattern. One that is set but never written draws nothing.
  void set(std::string_view name, std::string_view pattern);
  /// What {name} stands for; draws it if that has not been done.
  const std::string& value(std::string_view name);
  /// What a pattern comes to when written now.
  std::string written(std::string_view pattern);
  /// The same for one of the patterns, drawn.
  std::string written_one(std::span<const std::string_view> patterns);

  template <class Row, size_t Count>
  const Row& one_of(const Row (&table)[Count]) {
    return table[draws_.below(Count)];
  }
  choice& draws() { return draws_; }

protected:
  void expand(std::string_view pattern, std::string& into);
  void expand_one(std::span<const std::string_view> patterns, std::string& into);
  /// Appends what stands for {name}: here, what has been set. Others know more names.
  virtual void write_name(std::string_view name, std::string& into);
  [[noreturn]] static void wrong(std::string_view what, std::string_view where);

private:
  struct slot {
    std::string pattern;
    bool fixed = false;
  };

  choice& draws_;
  phrase_lists phrases_;
  std::map<std::string, slot, std::less<>> slots_;
};

} // namespace troupe::generators
