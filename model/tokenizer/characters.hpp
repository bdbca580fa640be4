#pragma once
// What Unicode says about single characters, and texts of which not all bytes are characters.
#include "model/utf8.hpp"
#include <cstdint>
#include <string_view>
#include <utility>

namespace troupe {

constexpr std::string_view space_mark = "\xE2\x96\x81"; // U+2581, "▁".
constexpr uint32_t no_character = 0xFFFFFFFF;           // Bytes that are not UTF-8.

bool is_white_space(uint32_t character); // The property White_Space.
/// What \w means to tokenizer.json: letters, marks, decimal digits, connecting punctuation, joiners.
bool is_word_character(uint32_t character);
bool is_nonspacing_mark(uint32_t character); // Mn.
bool is_mark(uint32_t character);            // Mn, Mc, Me.
bool is_control(uint32_t character);         // Cc, Cf, Co.
/// Categories P*, and the other printable ASCII characters that are no letters, digits or space.
bool is_punctuation(uint32_t character);
/// The blocks that BERT calls Chinese: Hangul, Hiragana and Katakana are not among them.
bool is_ideograph(uint32_t character);

bool is_ascii(std::string_view text);

/// Where a text begins and ends without the white space around it; (its size, 0) where it is nothing else.
std::pair<size_t, size_t> inside_white_space(std::string_view text);

/// Calls visit(begin, end, character) for what text consists of, in order; no_character for bytes that are not UTF-8, at most
/// three at once.
template <class visit_function>
void for_each_character(std::string_view text, const visit_function& visit) {
  for (size_t begin = 0; begin < text.size();) {
    const auto step = utf8_next(text, begin);
    const bool is_whole = step.state == utf8_state::whole;
    visit(begin, begin + step.bytes, is_whole ? utf8_code_point(text.substr(begin, step.bytes)) : no_character);
    begin += step.bytes;
  }
}

} // namespace troupe
