#include "model/tokenizer/sentencepiece.hpp"
#include "model/error.hpp"
#include "model/tokenizer/merge.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {

namespace {

constexpr std::string_view space_mark = "\xE2\x96\x81"; // U+2581
constexpr uint32_t no_piece = 0xFFFFFFFF;

std::string escape(std::string_view text, bool prefix) {
  std::string out;
  const auto spaces = static_cast<size_t>(std::count(text.begin(), text.end(), ' '));
  out.reserve(text.size() + (spaces + 1) * space_mark.size());
  if (prefix)
    out += space_mark;
  for (const char byte : text) {
    if (byte == ' ')
      out += space_mark;
    else
      out += byte;
  }
  return out;
}

} // namespace

sentencepiece_tokenizer::sentencepiece_tokenizer(const vocabulary& vocabulary) : piece_tokenizer(vocabulary) {
  const auto& scores = words().scores;
  if (scores.size() != words().pieces.size())
    throw input_error("the vocabulary is inconsistent: it has " + std::to_string(words().pieces.size())
                      + " pieces, but " + std::to_string(scores.size()) + " scores");
  for (size_t id = 0; id < scores.size(); ++id)
    if (std::isnan(scores[id]))
      throw input_error("the vocabulary is inconsistent: the score of piece " + std::to_string(id)
                        + " is not a number");
}

void sentencepiece_tokenizer::encode_text(std::string_view text, bool first,
                                          std::vector<uint32_t>& ids) const {
  const std::string escaped = escape(text, first && words().add_space_prefix);
  const std::string_view all = escaped;
  merge_chain chain;
  for (size_t position = 0; position < all.size();) {
    const auto step = utf8_next(all, position);
    // Damaged characters are split into bytes at once, so that each has a token.
    const size_t bytes = step.state == utf8_state::whole ? step.bytes : 1;
    chain.add({static_cast<uint32_t>(position), static_cast<uint32_t>(bytes),
               find(all.substr(position, bytes)).value_or(no_piece)});
    position += bytes;
  }
  chain.merge(
      [&](const merge_chain::symbol& left, const merge_chain::symbol& right) -> std::optional<merge_result> {
        const auto id = find(all.substr(left.start, left.length + right.length));
        if (!id)
          return {};
        return merge_result{words().scores[*id], *id};
      });
  chain.for_each([&](const merge_chain::symbol& symbol) {
    if (symbol.value != no_piece)
      ids.push_back(symbol.value);
    else
      append_bytes(all.substr(symbol.start, symbol.length), ids);
  });
}

void sentencepiece_tokenizer::append_bytes(std::string_view bytes, std::vector<uint32_t>& ids) const {
  const auto sayable = [&](char byte) { return byte_piece(static_cast<uint8_t>(byte)).has_value(); };
  if (!std::all_of(bytes.begin(), bytes.end(), sayable)) {
    ids.push_back(unknown_or_throw(bytes));
    return;
  }
  for (const char byte : bytes)
    ids.push_back(*byte_piece(static_cast<uint8_t>(byte)));
}

std::string sentencepiece_tokenizer::spell(std::string_view piece) const {
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
