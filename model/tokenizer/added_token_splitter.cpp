#include "model/tokenizer/added_token_splitter.hpp"
#include "model/error.hpp"
#include "model/tokenizer/characters.hpp"
#include <algorithm>

namespace troupe {

namespace {

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

added_token_splitter::added_token_splitter(const vocabulary& words, const normalizer& rules) {
  TROUPE_ASSERT(words.added_tokens.has_value());
  for (const auto& token : *words.added_tokens) {
    const auto kind = words.kinds[token.id];
    rules_.emplace(token.id, rule{token, kind == piece_kind::control || kind == piece_kind::unknown});
    const std::string& text = words.pieces[token.id];
    if (text.empty()) continue;
    if (!token.normalized) {
      raw_.add(text, token.id);
      continue;
    }
    const std::string normal = rules.is_for_whole_texts() ? text : rules.apply(text);
    if (!normal.empty()) normalized_.add(normal, token.id);
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
