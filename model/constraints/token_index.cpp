#include "model/constraints/token_index.hpp"
#include "model/error.hpp"
#include "model/tokenizer/tokenizer.hpp"
#include "model/utf8.hpp"
#include <algorithm>

namespace troupe {
namespace {

/// Longer tokens are in no slice: for each number of characters a slice has a mask.
constexpr uint32_t slice_characters_max = 24;
constexpr size_t text_bytes_max = 1 << 15;

bool belongs_to(character_class of, uint8_t byte) {
  switch (of) {
  case character_class::lower_case: return byte >= 'a' && byte <= 'z';
  case character_class::alphanumeric: return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z');
  case character_class::plain_ascii: return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
  case character_class::plain: break;
  }
  return byte >= 0x80 || belongs_to(character_class::plain_ascii, byte);
}

/// How many characters a token of the slice has; 0: it is none.
uint32_t characters_in(const token_index::slice& slice, std::string_view text) {
  auto rest = text;
  if (slice.begins_with_space) {
    if (!rest.starts_with(' ') || rest.size() == 1) return 0;
    rest.remove_prefix(1);
  }
  if (!std::ranges::all_of(rest, [&](char byte) { return belongs_to(slice.of, uint8_t(byte)); }) || !is_utf8(rest)) return 0;
  const auto count = std::ranges::count_if(text, [](char byte) { return (uint8_t(byte) & 0xc0) != 0x80; });
  return count <= slice_characters_max ? uint32_t(count) : 0;
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
  for (const auto of : {character_class::lower_case, character_class::alphanumeric})
    for (const bool begins_with_space : {false, true}) slices_.push_back({of, begins_with_space});
  slices_.push_back({character_class::plain_ascii});
  slices_.push_back({character_class::plain});
  std::vector<std::vector<uint32_t>> members(slices_.size());
  std::vector<uint32_t> rest;
  for (uint32_t token = 0; token < vocabulary(); ++token) {
    const auto bytes = text(token);
    if (bytes.empty() || bytes.size() > text_bytes_max) continue;
    depth_ = std::max(depth_, uint32_t(bytes.size()));
    size_t of = 0;
    uint32_t characters = 0;
    while (of < slices_.size() && (characters = characters_in(slices_[of], bytes)) == 0) ++of;
    if (of == slices_.size()) {
      rest.push_back(token);
      continue;
    }
    auto& masks = slices_[of].up_to;
    if (masks.size() <= characters) masks.resize(characters + 1, token_mask(mask_words(), 0));
    set_token(masks[characters], token);
    members[of].push_back(token);
  }
  for (size_t i = 0; i < slices_.size(); ++i) {
    auto& masks = slices_[i].up_to;
    for (size_t longer = 1; longer < masks.size(); ++longer)
      for (size_t word = 0; word < mask_words(); ++word) masks[longer][word] |= masks[longer - 1][word];
    slices_[i].begin = uint32_t(nodes_.size());
    append_trie(std::move(members[i]));
    slices_[i].end = uint32_t(nodes_.size());
  }
  rest_ = uint32_t(nodes_.size());
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
