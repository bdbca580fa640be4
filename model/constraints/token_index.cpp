#include "model/constraints/token_index.hpp"
#include "model/error.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/utf8.hpp"
#include <algorithm>

namespace troupe {
namespace {

/// Longer tokens are not counted among the plain ones: the characters of the longest are what an answer has to be sure of.
constexpr uint32_t plain_characters_limit = 32;
constexpr size_t text_bytes_max = 1 << 15;

/// 0: not plain.
uint32_t plain_characters(std::string_view text) {
  if (!std::ranges::all_of(text, [](char byte) { return is_plain_byte(uint8_t(byte)); }) || !is_utf8(text)) return 0;
  const auto count = std::ranges::count_if(text, [](char byte) { return (uint8_t(byte) & 0xc0) != 0x80; });
  return count <= plain_characters_limit ? uint32_t(count) : 0;
}

bool stands_for_text(piece_kind kind) {
  return kind == piece_kind::normal || kind == piece_kind::user_defined || kind == piece_kind::byte;
}

} // namespace

token_index::token_index(const tokenizer& words) {
  const auto& kinds = words.words().kinds;
  text_begins_.push_back(0);
  for (uint32_t token = 0; token < words.words().pieces.size(); ++token) {
    if (token >= kinds.size() || stands_for_text(kinds[token])) texts_ += words.token_bytes(token);
    text_begins_.push_back(uint32_t(texts_.size()));
  }
  build();
}

token_index::token_index(const std::vector<std::string>& texts) {
  text_begins_.push_back(0);
  for (const auto& text : texts) {
    texts_ += text;
    text_begins_.push_back(uint32_t(texts_.size()));
  }
  build();
}

void token_index::build() {
  std::vector<uint32_t> plain, rest;
  plain_.assign((vocabulary() + 63) / 64, 0);
  for (uint32_t token = 0; token < vocabulary(); ++token) {
    if (text(token).empty() || text(token).size() > text_bytes_max) continue;
    const uint32_t characters = plain_characters(text(token));
    plain_characters_max_ = std::max(plain_characters_max_, characters);
    if (characters > 0) set_token(plain_, token);
    (characters > 0 ? plain : rest).push_back(token);
  }
  append_trie(std::move(plain));
  plain_nodes_ = uint32_t(nodes_.size());
  append_trie(std::move(rest));
  nodes_.push_back({uint32_t(nodes_.size()) + 1, uint32_t(tokens_.size()), 0, 0});
}

void token_index::append_trie(std::vector<uint32_t> order) {
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) { return text(a) != text(b) ? text(a) < text(b) : a < b; });
  std::vector<uint32_t> path; // The nodes of the text before.
  std::string_view before;
  const auto close = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) nodes_[path.back()].next = uint32_t(nodes_.size());
  };
  for (const uint32_t token : order) {
    const auto bytes = text(token);
    const auto shared = size_t(std::ranges::mismatch(before, bytes).in1 - before.begin());
    close(shared);
    while (path.size() < bytes.size()) {
      const auto depth = uint16_t(path.size());
      path.push_back(uint32_t(nodes_.size()));
      nodes_.push_back({0, uint32_t(tokens_.size()), depth, uint8_t(bytes[depth])});
    }
    tokens_.push_back(token);
    before = bytes;
  }
  close(0);
}

} // namespace troupe
