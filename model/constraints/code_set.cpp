#include "model/constraints/code_set.hpp"
#include <algorithm>

namespace troupe {
namespace {

constexpr uint32_t last_character = 0x10ffff, first_surrogate = 0xd800, last_surrogate = 0xdfff;

std::array<uint8_t, 4> spell(uint32_t code, uint8_t length) {
  if (length == 1) return {uint8_t(code)};
  std::array<uint8_t, 4> bytes{};
  for (uint8_t i = length; --i > 0; code >>= 6) bytes[i] = uint8_t(0x80 | (code & 0x3f));
  constexpr uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
  bytes[0] = uint8_t(marks[length] | code);
  return bytes;
}

/// first..last have the same length. Split until each byte but the first that differs runs through all continuations.
void append_sequences(uint32_t first, uint32_t last, uint8_t length, std::vector<utf8_sequence>& out) {
  for (uint8_t i = 1; i < length; ++i) {
    const uint32_t below = (uint32_t(1) << (6 * i)) - 1; // The bits of the last i bytes.
    if ((first & ~below) == (last & ~below)) continue;
    if ((first & below) != 0) {
      append_sequences(first, first | below, length, out);
      return append_sequences((first | below) + 1, last, length, out);
    }
    if ((last & below) != below) {
      append_sequences(first, (last & ~below) - 1, length, out);
      return append_sequences(last & ~below, last, length, out);
    }
  }
  const auto from = spell(first, length), to = spell(last, length);
  utf8_sequence sequence;
  sequence.length = length;
  for (uint8_t i = 0; i < length; ++i) sequence.ranges[i] = {from[i], to[i]};
  out.push_back(sequence);
}

} // namespace

const code_set& all_characters() {
  static const code_set all{{0, first_surrogate - 1}, {last_surrogate + 1, last_character}};
  return all;
}

code_set make_code_set(std::vector<code_range> ranges) {
  std::ranges::sort(ranges, {}, &code_range::first);
  code_set merged;
  for (const auto& range : ranges) {
    if (range.first > range.last) continue;
    if (!merged.empty() && range.first <= merged.back().last + 1) merged.back().last = std::max(merged.back().last, range.last);
    else merged.push_back(range);
  }
  return intersection(merged, all_characters());
}

code_set complement(const code_set& set) {
  code_set rest;
  uint32_t next = 0;
  for (const auto& range : set) {
    if (range.first > next) rest.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= last_character) rest.push_back({next, last_character});
  return intersection(rest, all_characters());
}

code_set intersection(const code_set& a, const code_set& b) {
  code_set both;
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const uint32_t first = std::max(a[i].first, b[j].first), last = std::min(a[i].last, b[j].last);
    if (first <= last) both.push_back({first, last});
    if (a[i].last < b[j].last) ++i;
    else ++j;
  }
  return both;
}

code_set difference(const code_set& a, const code_set& b) { return intersection(a, complement(b)); }

std::vector<utf8_sequence> utf8_sequences(const code_set& set) {
  constexpr code_range lengths[] = {{0, 0x7f}, {0x80, 0x7ff}, {0x800, 0xffff}, {0x10000, last_character}};
  std::vector<utf8_sequence> sequences;
  for (const auto& range : intersection(set, all_characters()))
    for (uint8_t length = 1; length <= 4; ++length) {
      const uint32_t first = std::max(range.first, lengths[length - 1].first), last = std::min(range.last, lengths[length - 1].last);
      if (first <= last) append_sequences(first, last, length, sequences);
    }
  return sequences;
}

} // namespace troupe
