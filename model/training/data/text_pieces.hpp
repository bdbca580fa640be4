#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

namespace troupe {

/// How long the first piece of a text is, where the text is cut into pieces of at most bytes_max (at least 64), so that encoding the
/// pieces gives what encoding the whole gives: a cut is made before a single space or line feed between two words, where byte-pair
/// tokenizers begin a new word and sentencepiece's pieces begin. Where there is none in the second half of a piece, the cut is at any
/// character, but not within "\r\n". text: UTF-8, all of it or at least bytes_max + 2 bytes.
size_t first_piece(std::string_view text, size_t bytes_max);

/// All pieces, in order.
std::vector<std::string_view> cut_text(std::string_view text, size_t bytes_max);

} // namespace troupe
