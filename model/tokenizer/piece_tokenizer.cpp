#include "model/tokenizer/piece_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include <algorithm>
#include <charconv>

namespace troupe {

namespace {

[[noreturn]] void refuse(const std::string& reason) {
  throw input_error("the vocabulary is inconsistent: " + reason);
}

void check_special(const char* name, std::optional<uint32_t> id, size_t pieces) {
  if (id && *id >= pieces)
    refuse(std::string(name) + " is token " + std::to_string(*id) + ", but there are only "
           + std::to_string(pieces) + " pieces");
}

void check(const vocabulary& words) {
  const size_t pieces = words.pieces.size();
  if (pieces == 0)
    refuse("it has no pieces");
  if (words.kinds.size() != pieces)
    refuse("it has " + std::to_string(pieces) + " pieces, but " + std::to_string(words.kinds.size())
           + " kinds");
  for (size_t id = 0; id < pieces; ++id)
    if (words.kinds[id] < piece_kind::normal || words.kinds[id] > piece_kind::byte)
      refuse("piece " + std::to_string(id) + " is of the unknown kind "
             + std::to_string(static_cast<int>(words.kinds[id])));
  check_special("beginning-of-text", words.bos, pieces);
  check_special("end-of-text", words.eos, pieces);
  check_special("unknown", words.unknown, pieces);
  check_special("padding", words.padding, pieces);
  for (const uint32_t id : words.end_of_generation)
    check_special("end-of-generation", id, pieces);
  for (const auto& token : words.added_tokens.value_or(std::vector<added_token>()))
    check_special("added", token.id, pieces);
  for (const auto& items : {words.single, words.pair})
    for (const auto& item : items)
      if (item.kind == template_item::item_kind::token) check_special("template", item.id, pieces);
  if (words.add_bos && !words.bos)
    refuse("a beginning-of-text token is to be added, but it names none");
  if (words.add_eos && !words.eos)
    refuse("an end-of-text token is to be added, but it names none");
}

uint8_t byte_value(std::string_view piece, uint32_t id) {
  unsigned value = 0;
  if (piece.size() == 6 && piece.starts_with("<0x") && piece.back() == '>') {
    const auto [end, error] = std::from_chars(piece.data() + 3, piece.data() + 5, value, 16);
    if (error == std::errc() && end == piece.data() + 5)
      return static_cast<uint8_t>(value);
  }
  refuse("piece " + std::to_string(id) + " is of kind byte, but not spelled like <0x41>");
}

bool spelled_like_control(std::string_view piece) {
  return piece.size() > 2
         && ((piece.starts_with("<") && piece.ends_with(">"))
             || (piece.starts_with("[") && piece.ends_with("]"))
             || (piece.starts_with("_<") && piece.ends_with(">")));
}

std::string hexadecimal(std::string_view bytes) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const char byte : bytes) {
    out += out.empty() ? "0x" : " 0x";
    out += digits[static_cast<uint8_t>(byte) >> 4];
    out += digits[static_cast<uint8_t>(byte) & 15];
  }
  return out;
}

/// White space at the ends of the tokens' places goes, as trim_offsets of tokenizer.json wants it.
void trim(std::string_view text, std::vector<token>& tokens) {
  for (auto& one : tokens) {
    const auto [first, last] = inside_white_space(text.substr(one.begin, one.end - one.begin));
    const uint32_t offset = one.begin;
    one.begin = offset + static_cast<uint32_t>(first);
    one.end = offset + static_cast<uint32_t>(std::max(last, first));
  }
}

} // namespace

piece_tokenizer::piece_tokenizer(const vocabulary& words) : words_(words) {
  check(words_);
  // Files exist whose end-of-turn token is of kind normal; its text must not be printed.
  for (const uint32_t id : words_.end_of_generation)
    if (words_.kinds[id] == piece_kind::normal && spelled_like_control(words_.pieces[id]))
      words_.kinds[id] = piece_kind::control;
  index_pieces();
  rules_.emplace(words_);
  if (words_.added_tokens)
    added_tokens_.emplace(words_, *rules_);
}

piece_tokenizer::~piece_tokenizer() = default;

void piece_tokenizer::index_pieces() {
  std::unordered_map<std::string_view, uint32_t> all;
  all.reserve(words_.pieces.size());
  ordinary_.reserve(words_.pieces.size());
  for (uint32_t id = 0; id < words_.pieces.size(); ++id) {
    const std::string_view text = words_.pieces[id];
    const auto kind = kind_of(id);
    if (kind == piece_kind::byte) {
      auto& slot = byte_pieces_[byte_value(text, id)];
      slot = slot ? slot : id;
    }
    if (text.empty() || kind == piece_kind::unused)
      continue; // Unused ids: no text becomes one.
    if (const auto [other, fresh] = all.emplace(text, id); !fresh)
      refuse("pieces " + std::to_string(other->second) + " and " + std::to_string(id) + " are both spelled \""
             + std::string(text) + "\"");
    if (kind == piece_kind::user_defined)
      user_defined_.add(text, id);
    if (kind == piece_kind::user_defined || kind == piece_kind::control || kind == piece_kind::unknown)
      all_special_.add(text, id);
    if (kind == piece_kind::user_defined || kind == piece_kind::normal) {
      ordinary_.emplace(text, id);
      piece_bytes_max_ = std::max(piece_bytes_max_, text.size());
    }
  }
}

void piece_tokenizer::tokenize(std::string_view text, bool with_special, bool traces, std::vector<token>& tokens) const {
  if (text.size() > text_bytes_max)
    throw input_error("a text of " + std::to_string(text.size())
                      + " bytes is too long to tokenize; the most is " + std::to_string(text_bytes_max));
  const auto fragments = added_tokens_ ? added_tokens_->split(text, with_special)
                                       : (with_special ? all_special_ : user_defined_).split(text);
  for (const auto& fragment : fragments) {
    const auto begin = static_cast<size_t>(fragment.text.data() - text.data());
    if (fragment.id)
      tokens.push_back({*fragment.id, static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + fragment.text.size())});
    else
      encode_stretch(rules_->apply(rewritten_text(std::string(fragment.text), begin, traces)), begin == 0, with_special, tokens);
  }
  if (traces && words_.trims_offsets) trim(text, tokens);
}

void piece_tokenizer::encode_stretch(const rewritten_text& normal, bool at_start, bool with_special, std::vector<token>& tokens) const {
  if (!added_tokens_)
    return encode_words(normal, 0, normal.text().size(), at_start, tokens);
  for (const auto& fragment : added_tokens_->split_normalized(normal.text(), with_special)) {
    const auto begin = static_cast<size_t>(fragment.text.data() - normal.text().data()), end = begin + fragment.text.size();
    if (!fragment.id) {
      encode_words(normal, begin, end, at_start && begin == 0, tokens);
      continue;
    }
    const auto range = normal.traces() ? normal.origin(begin, end) : text_range{};
    tokens.push_back({*fragment.id, range.begin, range.end});
  }
}

void piece_tokenizer::encode_words(const rewritten_text& normal, size_t begin, size_t end, bool at_start,
                                   std::vector<token>& tokens) const {
  if (words_.split == word_split::none) {
    if (begin < end) encode_part(normal, begin, end, at_start, tokens);
    return;
  }
  size_t word = begin;
  const auto finish = [&](size_t at) {
    if (word < at) encode_part(normal, word, at, at_start && word == 0, tokens);
  };
  for_each_character(std::string_view(normal.text()).substr(begin, end - begin), [&](size_t at, size_t behind, uint32_t c) {
    const bool is_space = is_white_space(c), is_word = words_.split == word_split::bert && is_punctuation(c);
    if (!is_space && !is_word) return;
    finish(begin + at);
    word = begin + (is_word ? at : behind);
    if (is_word) finish(begin + behind);
    word = begin + behind;
  });
  finish(end);
}

void piece_tokenizer::encode_part(const rewritten_text& normal, size_t begin, size_t end, bool at_start,
                                  std::vector<token>& tokens) const {
  std::string_view text = std::string_view(normal.text()).substr(begin, end - begin);
  const auto prefix = prefix_of(text, at_start);
  std::string prefixed;
  if (!prefix.empty()) {
    prefixed.reserve(prefix.size() + text.size());
    prefixed.append(prefix).append(text);
    text = prefixed;
  }
  const size_t first = tokens.size();
  encode_text(text, tokens);
  if (!normal.traces()) return;
  const auto place = [&](uint32_t at) { return begin + std::max<size_t>(at, prefix.size()) - prefix.size(); };
  for (size_t i = first; i < tokens.size(); ++i) {
    const auto range = normal.origin(place(tokens[i].begin), place(tokens[i].end));
    tokens[i] = {tokens[i].id, range.begin, range.end};
  }
}

std::string_view piece_tokenizer::prefix_of(std::string_view text, bool at_start) const {
  const bool is_wanted = words_.prefix == space_prefix::unless_space || (words_.prefix == space_prefix::first_unless_space && at_start);
  const std::string_view space = words_.kind == tokenizer_kind::byte_pair ? " " : space_mark;
  return is_wanted && !text.starts_with(space) ? space : std::string_view();
}

std::string piece_tokenizer::token_bytes(uint32_t id, bool special_text) const {
  check_id(id);
  const std::string& text = words_.pieces[id];
  switch (kind_of(id)) {
    case piece_kind::normal:
      return spell(text);
    case piece_kind::user_defined:
      return text;
    case piece_kind::byte:
      return std::string(1, static_cast<char>(byte_value(text, id)));
    case piece_kind::unknown:
      if (!words_.unknown_text.empty()) return words_.unknown_text;
      break;
    case piece_kind::control:
    case piece_kind::unused:
      break;
  }
  return special_text ? text : std::string();
}

std::string piece_tokenizer::piece(uint32_t id) const {
  check_id(id);
  return words_.pieces[id];
}

std::optional<uint32_t> piece_tokenizer::find(std::string_view text) const {
  if (text.size() > piece_bytes_max_)
    return {};
  const auto found = ordinary_.find(text);
  return found == ordinary_.end() ? std::nullopt : std::optional(found->second);
}

std::pair<std::string_view, std::string_view> piece_tokenizer::halves_of_merge(size_t rank) const {
  const std::string_view merge = words_.merges[rank];
  const size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == merge.size())
    refuse("merge " + std::to_string(rank) + ", \"" + std::string(merge) + "\", is not two pieces with a space between them");
  return {merge.substr(0, space), merge.substr(space + 1)};
}

uint32_t piece_tokenizer::unknown_or_throw(std::string_view bytes) const {
  if (words_.unknown)
    return *words_.unknown;
  throw input_error("this model's vocabulary has no token for the bytes " + hexadecimal(bytes)
                    + " of the text, and no unknown token");
}

void piece_tokenizer::check_id(uint32_t id) const {
  if (id >= words_.pieces.size())
    throw input_error("token " + std::to_string(id) + " is outside the vocabulary of "
                      + std::to_string(words_.pieces.size()));
}

} // namespace troupe
