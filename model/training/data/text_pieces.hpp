#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace troupe {

/// Cuts a text into pieces of at most bytes_max (at least 64), together all of it, so that encoding the pieces gives what encoding
/// the whole gives: a cut is made before a single space or line feed between two words, where byte-pair tokenizers begin a new word
/// and sentencepiece's pieces begin. Where there is none in the second half of a piece, the cut is at any character. text: UTF-8.
std::vector<std::string_view> cut_text(std::string_view text, size_t bytes_max);

} // namespace troupe
