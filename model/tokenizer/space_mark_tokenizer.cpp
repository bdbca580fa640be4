#include "model/tokenizer/space_mark_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
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

void space_mark_tokenizer::encode_text(std::string_view text, std::vector<token>& tokens) const {
  for (size_t begin = 0; begin < text.size();) {
    const size_t next = words().splits_at_spaces ? text.find(space_mark, begin + 1) : std::string_view::npos;
    const size_t end = std::min(next, text.size());
    encode_word(text.substr(begin, end - begin), static_cast<uint32_t>(begin), tokens);
    begin = end;
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

void space_mark_tokenizer::append_bytes(std::string_view bytes, uint32_t offset, std::vector<token>& tokens) const {
  if (!has_bytes(bytes)) {
    tokens.push_back({unknown_or_throw(bytes), offset, offset + static_cast<uint32_t>(bytes.size())});
    return;
  }
  for (uint32_t i = 0; i < bytes.size(); ++i) tokens.push_back({*byte_piece(static_cast<uint8_t>(bytes[i])), offset + i, offset + i + 1});
}

void space_mark_tokenizer::append_symbols(std::string_view word, uint32_t offset, const merge_chain& chain,
                                          std::vector<token>& tokens) const {
  bool is_unknown = false; // The symbol before is.
  chain.for_each([&](const merge_chain::symbol& symbol) {
    const auto bytes = word.substr(symbol.start, symbol.length);
    const uint32_t begin = offset + symbol.start, end = begin + symbol.length;
    const bool was_unknown = is_unknown;
    is_unknown = symbol.value == no_piece && !has_bytes(bytes);
    if (symbol.value != no_piece)
      tokens.push_back({symbol.value, begin, end});
    else if (is_unknown && was_unknown && words().fuses_unknown)
      tokens.back().end = end;
    else
      append_bytes(bytes, begin, tokens);
  });
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
