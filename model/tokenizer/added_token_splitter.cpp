#include "model/tokenizer/added_token_splitter.hpp"
#include "model/error.hpp"
#include "model/tokenizer/normalize.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <utf8proc.h>

namespace troupe {

namespace {

bool is_white_space(uint32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

/// What \w means to tokenizer.json: letters, marks, decimal digits, connecting punctuation, joiners.
bool is_word_character(uint32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
  case UTF8PROC_CATEGORY_LU:
  case UTF8PROC_CATEGORY_LL:
  case UTF8PROC_CATEGORY_LT:
  case UTF8PROC_CATEGORY_LM:
  case UTF8PROC_CATEGORY_LO:
  case UTF8PROC_CATEGORY_MN:
  case UTF8PROC_CATEGORY_MC:
  case UTF8PROC_CATEGORY_ME:
  case UTF8PROC_CATEGORY_ND:
  case UTF8PROC_CATEGORY_NL:
  case UTF8PROC_CATEGORY_PC:
    return true;
  default:
    return c == 0x200C || c == 0x200D;
  }
}

/// The character that begins at `position`, with its length; nothing at the end and in damaged text.
struct character {
  uint32_t code_point;
  size_t bytes;
};

std::optional<character> next_character(std::string_view text, size_t position) {
  if (position >= text.size()) return {};
  const auto step = utf8_next(text, position);
  if (step.state != utf8_state::whole) return {};
  return character{utf8_code_point(text.substr(position, step.bytes)), step.bytes};
}

/// The character that ends before `position`.
std::optional<character> previous_character(std::string_view text, size_t position) {
  for (size_t bytes = 1; bytes <= std::min<size_t>(4, position); ++bytes) {
    const auto found = next_character(text, position - bytes);
    if (found && found->bytes == bytes) return found;
  }
  return {};
}

bool is_in_word(std::string_view text, size_t begin, size_t end) {
  const auto before = previous_character(text, begin), after = next_character(text, end);
  return (before && is_word_character(before->code_point)) || (after && is_word_character(after->code_point));
}

} // namespace

added_token_splitter::added_token_splitter(const vocabulary& words) {
  TROUPE_ASSERT(words.added_tokens.has_value());
  for (const auto& token : *words.added_tokens) {
    const auto kind = words.kinds[token.id];
    rules_.emplace(token.id, rule{token, kind == piece_kind::control || kind == piece_kind::unknown});
    const std::string& text = words.pieces[token.id];
    if (text.empty()) continue;
    if (token.normalized)
      normalized_.add(normalize(words, text), token.id);
    else
      raw_.add(text, token.id);
  }
}

std::vector<text_fragment> added_token_splitter::split(std::string_view text, bool with_special) const {
  return split_by(raw_, text, with_special);
}

std::vector<text_fragment> added_token_splitter::split_normalized(std::string_view text,
                                                                  bool with_special) const {
  return split_by(normalized_, text, with_special);
}

std::vector<text_fragment> added_token_splitter::split_by(const piece_matcher& matcher, std::string_view text,
                                                          bool with_special) const {
  std::vector<text_fragment> fragments;
  size_t done = 0;
  for (size_t position = 0; position < text.size();) {
    const auto found = matcher.longest(text, position, text.size());
    if (!found) {
      ++position;
      continue;
    }
    size_t begin = position, end = position + found->length;
    position = end; // What follows is looked at behind the match, even one that is not taken.
    const rule& one = rules_.at(found->id);
    if ((one.is_special && !with_special) || (one.token.single_word && is_in_word(text, begin, end)))
      continue;
    if (one.token.lstrip)
      for (auto c = previous_character(text, begin); begin > done && c && is_white_space(c->code_point);
           c = previous_character(text, begin))
        begin -= c->bytes;
    if (one.token.rstrip)
      for (auto c = next_character(text, end); c && is_white_space(c->code_point);
           c = next_character(text, end))
        end += c->bytes;
    if (begin > done) fragments.push_back({text.substr(done, begin - done), {}});
    fragments.push_back({text.substr(begin, end - begin), found->id});
    done = end;
    position = std::max(position, end);
  }
  if (done < text.size()) fragments.push_back({text.substr(done), {}});
  return fragments;
}

} // namespace troupe
