#pragma once
// Sets of Unicode characters, and how UTF-8 spells them.
#include <array>
#include <cstdint>
#include <vector>

namespace troupe {

struct code_range {
  uint32_t first = 0, last = 0; // Both belong to it.
  bool operator==(const code_range&) const = default;
};

/// Sorted; no two ranges touch. No surrogates, nothing beyond U+10FFFF.
using code_set = std::vector<code_range>;

/// The set of all characters.
const code_set& all_characters();
/// The same characters as a code_set; surrogates are dropped.
code_set make_code_set(std::vector<code_range> ranges);
code_set complement(const code_set& set);
code_set intersection(const code_set& a, const code_set& b);
code_set difference(const code_set& a, const code_set& b);

struct byte_range {
  uint8_t first = 0, last = 0;
  bool operator==(const byte_range&) const = default;
  bool operator<(const byte_range& other) const { return first != other.first ? first < other.first : last < other.last; }
};

/// A set of characters of the same length: any byte of each range, one after the other.
struct utf8_sequence {
  std::array<byte_range, 4> ranges;
  uint8_t length = 0;
};

/// The characters of a set as UTF-8 spells them; no two sequences share a text.
std::vector<utf8_sequence> utf8_sequences(const code_set& set);

} // namespace troupe
