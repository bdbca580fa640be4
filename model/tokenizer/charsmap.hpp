#pragma once
// Sentencepiece's precompiled_charsmap: rules "these characters become those", as published models carry them.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// The map is a number of bytes, a double-array trie (Aoe 1989) of so many, whose values are places in the texts behind it, each
/// ended by a zero byte. It is not trusted: whatever it holds, a search is short and stays within it.
class charsmap {
public:
  /// Throws input_error for a map that is cut off or whose values lead out of it. No rule from an empty one.
  explicit charsmap(std::string_view map);

  struct match {
    size_t length;            // Bytes of the text that it replaces.
    std::string_view content; // By these.
  };
  /// The rule for the longest, or for the shortest, beginning of `text`.
  std::optional<match> longest(std::string_view text) const;
  std::optional<match> shortest(std::string_view text) const;

private:
  template <class visit_function>
  void search(std::string_view text, const visit_function& visit) const;

  std::vector<uint32_t> units_;
  std::string contents_;
};

} // namespace troupe
