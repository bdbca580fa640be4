#include "model/tokenizer/piece_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/normalize.hpp"
#include <algorithm>
#include <charconv>

namespace troupe {

namespace {

// Positions inside a text are 32 bits; escaped spaces take three bytes instead of one.
constexpr size_t text_bytes_max = size_t(1) << 30;

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

} // namespace

piece_tokenizer::piece_tokenizer(const vocabulary& words) : words_(words) {
  check(words_);
  // Files exist whose end-of-turn token is of kind normal; its text must not be printed.
  for (const uint32_t id : words_.end_of_generation)
    if (words_.kinds[id] == piece_kind::normal && spelled_like_control(words_.pieces[id]))
      words_.kinds[id] = piece_kind::control;
  index_pieces();
  if (words_.added_tokens)
    added_tokens_.emplace(words_);
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

std::vector<uint32_t> piece_tokenizer::encode(std::string_view text, special_tokens special) const {
  if (text.size() > text_bytes_max)
    throw input_error("a text of " + std::to_string(text.size())
                      + " bytes is too long to tokenize; the most is " + std::to_string(text_bytes_max));
  const bool with_special = special != special_tokens::never;
  std::vector<uint32_t> ids;
  if (special == special_tokens::as_file && words_.add_bos)
    ids.push_back(*words_.bos);
  const auto fragments = added_tokens_ ? added_tokens_->split(text, with_special)
                                       : (with_special ? all_special_ : user_defined_).split(text);
  for (const auto& fragment : fragments) {
    if (fragment.id)
      ids.push_back(*fragment.id);
    else
      encode_stretch(fragment.text, fragment.text.data() == text.data(), with_special, ids);
  }
  if (special == special_tokens::as_file && words_.add_eos)
    ids.push_back(*words_.eos);
  return ids;
}

void piece_tokenizer::encode_stretch(std::string_view text, bool at_start, bool with_special,
                                     std::vector<uint32_t>& ids) const {
  const std::string normal = normalize(words_, text);
  if (!added_tokens_)
    return encode_text(normal, at_start, ids);
  for (const auto& fragment : added_tokens_->split_normalized(normal, with_special)) {
    if (fragment.id)
      ids.push_back(*fragment.id);
    else
      encode_text(fragment.text, at_start && fragment.text.data() == normal.data(), ids);
  }
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
