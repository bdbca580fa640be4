#include "model/tokenizer/byte_pair.hpp"
#include "model/utf8.hpp"

namespace troupe {

namespace {

bool printable(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// GPT-2's spelling of bytes: a printable Latin-1 character stands for itself, the other 68 bytes are, in
/// order, U+0100 and following. A space is "Ġ".
struct byte_alphabet {
  std::array<std::string, 256> spelling;
  std::array<int, 0x100 + 68> byte; // By code point; -1: none.

  byte_alphabet() {
    byte.fill(-1);
    uint32_t extra = 0x100;
    for (unsigned value = 0; value < 256; ++value) {
      const uint32_t code_point = printable(value) ? value : extra++;
      append_utf8(spelling[value], code_point);
      byte[code_point] = static_cast<int>(value);
    }
  }
};

const byte_alphabet& alphabet() {
  static const byte_alphabet once;
  return once;
}

uint64_t pair_of(uint32_t left, uint32_t right) { return uint64_t(left) << 32 | right; }

} // namespace

std::string spell_bytes(std::string_view bytes) {
  std::string spelled;
  for (const char byte : bytes) spelled += alphabet().spelling[static_cast<uint8_t>(byte)];
  return spelled;
}

byte_pair_tokenizer::byte_pair_tokenizer(const vocabulary& vocabulary)
    : piece_tokenizer(vocabulary), pre_tokenizer_(words()),
    whole_words_first_(words().whole_words_first || pre_tokenizer_.whole_words_first()) {
  std::unordered_map<std::string, uint32_t> symbols;
  symbols.reserve(words().merges.size() + 256);
  const auto symbol = [&](std::string_view text) {
    const auto [entry, fresh] = symbols.emplace(text, static_cast<uint32_t>(symbol_pieces_.size()));
    if (fresh)
      symbol_pieces_.push_back(find(text).value_or(no_piece));
    return entry->second;
  };
  for (size_t byte = 0; byte < 256; ++byte)
    byte_symbols_[byte] = symbol(alphabet().spelling[byte]);
  rules_.reserve(words().merges.size());
  for (size_t rank = 0; rank < words().merges.size(); ++rank) {
    const auto [left, right] = halves_of_merge(rank);
    const auto pair = pair_of(symbol(left), symbol(right));
    rules_.emplace(pair, rule{static_cast<uint32_t>(rank), symbol(std::string(left) + std::string(right))});
  }
}

void byte_pair_tokenizer::encode_text(std::string_view text, std::vector<token>& tokens) const {
  merge_chain chain;
  for (const auto word : pre_tokenizer_.split(text))
    encode_word(word, static_cast<uint32_t>(word.data() - text.data()), chain, tokens);
}

void byte_pair_tokenizer::encode_word(std::string_view word, uint32_t offset, merge_chain& chain, std::vector<token>& tokens) const {
  if (whole_words_first_ && word.size() <= piece_bytes_max()) {
    if (const auto id = find(spell_bytes(word))) {
      tokens.push_back({*id, offset, offset + static_cast<uint32_t>(word.size())});
      return;
    }
  }
  chain.clear();
  for (uint32_t i = 0; i < word.size(); ++i)
    chain.add({i, 1, byte_symbols_[static_cast<uint8_t>(word[i])]});
  chain.merge(
      [&](const merge_chain::symbol& left, const merge_chain::symbol& right) -> std::optional<merge_result> {
        const auto found = rules_.find(pair_of(left.value, right.value));
        if (found == rules_.end())
          return {};
        return merge_result{-static_cast<double>(found->second.rank), found->second.symbol};
      });
  chain.for_each([&](const merge_chain::symbol& symbol) {
    if (const uint32_t id = symbol_pieces_[symbol.value]; id != no_piece)
      tokens.push_back({id, offset + symbol.start, offset + symbol.start + symbol.length});
    else
      append_bytes(word.substr(symbol.start, symbol.length), offset + symbol.start, tokens);
  });
}

void byte_pair_tokenizer::append_bytes(std::string_view bytes, uint32_t offset, std::vector<token>& tokens) const {
  for (uint32_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    const uint32_t id = symbol_pieces_[byte_symbols_[byte]];
    const uint32_t made = id != no_piece ? id : byte_piece(byte) ? *byte_piece(byte) : unknown_or_throw(bytes.substr(i, 1));
    tokens.push_back({made, offset + i, offset + i + 1});
  }
}

std::string byte_pair_tokenizer::spell(std::string_view piece) const {
  std::string out;
  for (size_t position = 0; position < piece.size();) {
    const auto step = utf8_next(piece, position);
    const auto character = piece.substr(position, step.bytes);
    position += step.bytes;
    const uint32_t code_point = step.state == utf8_state::whole ? utf8_code_point(character) : 0xFFFFFFFF;
    const auto& bytes = alphabet().byte;
    if (code_point < bytes.size() && bytes[code_point] >= 0)
      out += static_cast<char>(bytes[code_point]);
    else
      out += character; // Outside the alphabet: the piece can only mean its own spelling.
  }
  return out;
}

} // namespace troupe
