#pragma once
// Runs of n neighbouring units, characters or words, of two texts, and how many they have in common: what BLEU and chrF count.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

/// What Python's str.split() takes for space: Unicode's White_Space and the four separators U+001C ... U+001F.
bool is_space(uint32_t code_point);

/// The characters of a text, in order, as views of it. Bytes that are not UTF-8 count as characters of their own.
std::vector<std::string_view> characters_of(std::string_view text);
/// What spaces separate, in order, as views of the text.
std::vector<std::string_view> words_of(std::string_view text);
/// The words with one space between them, so that a run of words is one piece of text.
std::string joined(std::span<const std::string_view> words);

/// All runs of n >= 1 of the units, sorted; equal ones stand beside each other. The units are views of one text, with the same
/// bytes between any two neighbours. Empty if there are fewer than n units.
std::vector<std::string_view> n_grams(std::span<const std::string_view> units, size_t n);

/// How many sorted n-grams two texts have in common; one that a text has k times and the other m times counts min(k, m) times.
uint64_t common_n_grams(std::span<const std::string_view> some, std::span<const std::string_view> others);

} // namespace troupe
