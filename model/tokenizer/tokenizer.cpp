#include "model/tokenizer/tokenizer.hpp"
#include "model/error.hpp"
#include <algorithm>

namespace troupe {

namespace {

using item_kind = template_item::item_kind;

/// What goes around a text, or two.
std::vector<template_item> template_of(const vocabulary& words, bool is_pair, special_tokens special) {
  const auto& own = is_pair ? words.pair : words.single;
  if (special == special_tokens::as_file && !own.empty()) return own;
  const bool is_added = special == special_tokens::as_file;
  std::vector<template_item> items;
  if (is_added && words.add_bos) items.push_back({item_kind::token, *words.bos, 0});
  items.push_back({item_kind::first_text, 0, 0});
  if (is_pair) items.push_back({item_kind::second_text, 0, 1});
  if (is_added && words.add_eos) items.push_back({item_kind::token, *words.eos, is_pair});
  return items;
}

[[noreturn]] void refuse(const truncation& limit, const std::string& reason) {
  throw input_error("the input cannot be kept at " + std::to_string(limit.tokens_max) + " tokens: " + reason);
}

/// How many tokens of both texts stay.
std::pair<size_t, size_t> lengths_kept(size_t first, size_t second, size_t special, const truncation& limit) {
  if (special <= limit.tokens_max && first + second <= limit.tokens_max - special) return {first, second};
  if (special > limit.tokens_max) refuse(limit, "its special tokens are " + std::to_string(special));
  const size_t room = limit.tokens_max - special;
  const auto cut = [&](size_t length, size_t other, const char* which) {
    if (other >= room) refuse(limit, std::string("nothing would be left of the ") + which + " text");
    return std::min(length, room - other);
  };
  if (limit.from == truncation::what::only_first) return {cut(first, second, "first"), second};
  if (limit.from == truncation::what::only_second) return {first, cut(second, first, "second")};
  // The longer one is cut down to the shorter, then both alike; what is odd stays with the one that was longer.
  size_t shorter = std::min(first, second), longer = std::max(first, second);
  longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  return first > second ? std::pair(longer, shorter) : std::pair(shorter, longer);
}

encoding put_together(const std::vector<template_item>& items, std::vector<token> first, std::vector<token> second,
                      const truncation& limit) {
  const auto special = static_cast<size_t>(std::ranges::count(items, item_kind::token, &template_item::kind));
  const auto [first_kept, second_kept] = lengths_kept(first.size(), second.size(), special, limit);
  first.resize(first_kept);
  second.resize(second_kept);
  encoding out;
  const size_t size = first.size() + second.size() + special;
  out.ids.reserve(size);
  out.segments.reserve(size);
  out.parts.reserve(size);
  out.tokens.reserve(size);
  const auto add = [&](const token& one, encoding::part part, uint8_t segment) {
    out.ids.push_back(one.id);
    out.segments.push_back(segment);
    out.parts.push_back(part);
    out.tokens.push_back(one);
  };
  for (const auto& item : items) {
    if (item.kind == item_kind::token) {
      add({item.id, 0, 0}, encoding::part::special, item.segment);
      continue;
    }
    const bool is_first = item.kind == item_kind::first_text;
    for (const auto& one : is_first ? first : second) add(one, is_first ? encoding::part::first : encoding::part::second, item.segment);
  }
  return out;
}

} // namespace

std::vector<uint32_t> tokenizer::encode(std::string_view text, special_tokens special) const {
  std::vector<token> tokens;
  tokenize(text, special != special_tokens::never, false, tokens);
  std::vector<uint32_t> ids;
  ids.reserve(tokens.size() + 2);
  for (const auto& item : template_of(words(), false, special)) {
    if (item.kind == item_kind::token)
      ids.push_back(item.id);
    else
      for (const auto& one : tokens) ids.push_back(one.id);
  }
  return ids;
}

encoding tokenizer::encode_traced(std::string_view text, special_tokens special, const truncation& limit) const {
  if (limit.from == truncation::what::only_second) throw input_error("there is no second text that could be cut");
  std::vector<token> tokens;
  tokenize(text, special != special_tokens::never, true, tokens);
  return put_together(template_of(words(), false, special), std::move(tokens), {}, {truncation::what::only_first, limit.tokens_max});
}

encoding tokenizer::encode_pair(std::string_view first, std::string_view second, special_tokens special, const truncation& limit) const {
  std::vector<token> tokens, more;
  tokenize(first, special != special_tokens::never, true, tokens);
  tokenize(second, special != special_tokens::never, true, more);
  return put_together(template_of(words(), true, special), std::move(tokens), std::move(more), limit);
}

std::string tokenizer::decode(std::span<const uint32_t> ids, bool special_text) const {
  const auto& rules = words();
  std::string text;
  bool drops = rules.drops_first_space || rules.drops_first_spaces;
  for (const uint32_t id : ids) {
    std::string bytes = token_bytes(id, special_text);
    if (drops && bytes.starts_with(' ') && rules.kinds[id] != piece_kind::unknown) {
      bytes.erase(0, 1);
      drops = rules.drops_first_spaces;
    }
    drops = drops && bytes.empty();
    text += bytes;
  }
  return text;
}

} // namespace troupe
