#pragma once
// What a text is before anything is looked up in it.
#include "model/tokenizer/vocabulary.hpp"
#include <string>
#include <string_view>

namespace troupe {

constexpr std::string_view space_mark = "\xE2\x96\x81"; // U+2581, "▁".

/// A stretch of text between special pieces (not empty), as the vocabulary wants it: in form NFC if it says
/// so; spaces as "▁", unless its pieces are made of bytes; with "▁" before it where each stretch gets one. (A
/// prefix that depends on the text is not put there: tokenizer.json looks for added tokens in between.) Bytes
/// that are not UTF-8 stay as they are.
std::string normalize(const vocabulary& words, std::string_view text);

/// Unicode's normalisation form NFC: "e" and U+0301 become "é".
std::string compose(std::string_view text);

} // namespace troupe
