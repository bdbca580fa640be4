#include "model/training/data/text_pieces.hpp"
#include "model/error.hpp"

namespace troupe {

namespace {

/// Letters; all that is not ASCII counts as one, although a few such characters are spaces.
bool is_word(char byte) {
  const auto c = static_cast<unsigned char>(byte);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/// The last position in (least, most] at which a space stands between two words; 0: none.
size_t space_between_words(std::string_view text, size_t least, size_t most) {
  for (size_t at = most; at > least; --at)
    if ((text[at] == ' ' || text[at] == '\n') && at + 1 < text.size() && is_word(text[at - 1]) && is_word(text[at + 1]))
      return at;
  return 0;
}

size_t begin_of_character(std::string_view text, size_t at) {
  for (size_t i = 0; i < 3 && at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80; ++i) --at;
  return at;
}

} // namespace

size_t first_piece(std::string_view text, size_t bytes_max) {
  TROUPE_ASSERT(bytes_max >= 64);
  if (text.size() <= bytes_max) return text.size();
  if (const size_t space = space_between_words(text, bytes_max / 2, bytes_max); space > 0) return space;
  const size_t cut = begin_of_character(text, bytes_max);
  return text[cut] == '\n' && text[cut - 1] == '\r' ? cut - 1 : cut;
}

std::vector<std::string_view> cut_text(std::string_view text, size_t bytes_max) {
  std::vector<std::string_view> pieces;
  do {
    pieces.push_back(text.substr(0, first_piece(text, bytes_max)));
    text.remove_prefix(pieces.back().size());
  } while (!text.empty());
  return pieces;
}

} // namespace troupe
