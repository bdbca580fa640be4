#include "model/tokenizer/space_mark_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/normalize.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {

void space_mark_tokenizer::require_scores() const {
  const auto& scores = words().scores;
  if (scores.size() != words().pieces.size())
    throw input_error("the vocabulary is inconsistent: it has " + std::to_string(words().pieces.size()) +
                      " pieces, but " + std::to_string(scores.size()) + " scores");
  for (size_t id = 0; id < scores.size(); ++id)
    if (std::isnan(scores[id]))
      throw input_error("the vocabulary is inconsistent: the score of piece " + std::to_string(id) +
                        " is not a number");
}

void space_mark_tokenizer::encode_text(std::string_view text, bool at_start,
                                       std::vector<uint32_t>& ids) const {
  const auto prefix = words().prefix;
  const bool wants_prefix =
      prefix == space_prefix::unless_space || (prefix == space_prefix::first_unless_space && at_start);
  std::string prefixed;
  if (wants_prefix && !text.starts_with(space_mark)) {
    prefixed = std::string(space_mark) + std::string(text);
    text = prefixed;
  }
  while (!text.empty()) {
    const size_t next = words().splits_at_spaces ? text.find(space_mark, 1) : std::string_view::npos;
    const auto word = text.substr(0, next);
    encode_word(word, ids);
    text.remove_prefix(word.size());
  }
}

void space_mark_tokenizer::add_characters(std::string_view word, merge_chain& chain) const {
  for (size_t position = 0; position < word.size();) {
    const auto step = utf8_next(word, position);
    // Damaged characters are split into bytes at once, so that each has a token.
    const size_t bytes = step.state == utf8_state::whole ? step.bytes : 1;
    chain.add({static_cast<uint32_t>(position), static_cast<uint32_t>(bytes),
               find(word.substr(position, bytes)).value_or(no_piece)});
    position += bytes;
  }
}

bool space_mark_tokenizer::has_bytes(std::string_view bytes) const {
  return std::all_of(bytes.begin(), bytes.end(),
                     [&](char byte) { return byte_piece(static_cast<uint8_t>(byte)).has_value(); });
}

void space_mark_tokenizer::append_bytes(std::string_view bytes, std::vector<uint32_t>& ids) const {
  if (!has_bytes(bytes)) {
    ids.push_back(unknown_or_throw(bytes));
    return;
  }
  for (const char byte : bytes) ids.push_back(*byte_piece(static_cast<uint8_t>(byte)));
}

std::string space_mark_tokenizer::spell(std::string_view piece) const {
  std::string out;
  out.reserve(piece.size());
  for (size_t position = 0; position < piece.size();) {
    const bool space = piece.substr(position).starts_with(space_mark);
    out += space ? ' ' : piece[position];
    position += space ? space_mark.size() : 1;
  }
  return out;
}

} // namespace troupe
