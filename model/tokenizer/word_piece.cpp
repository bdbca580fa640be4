#include "model/tokenizer/word_piece.hpp"
#include "model/replace_all.hpp"
#include "model/tokenizer/characters.hpp"

namespace troupe {

namespace {

/// What tokenizer.json's decoders do to a token (" ." has its space from them) and its spelling in English.
void clean_up(std::string& text) {
  constexpr std::pair<std::string_view, std::string_view> rules[] = {
      {" .", "."},     {" ?", "?"},   {" !", "!"},            {" ,", ","},   {" ' ", "'"},  {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [from, by] : rules) replace_all(text, from, by);
}

} // namespace

word_piece_tokenizer::word_piece_tokenizer(const vocabulary& vocabulary) : piece_tokenizer(vocabulary) {
  const std::string_view prefix = words().continuing_prefix;
  for (uint32_t id = 0; id < words().pieces.size(); ++id) {
    const std::string_view piece = words().pieces[id];
    if (piece.empty() || find(piece) != id) continue;
    first_.add(piece, id);
    if (piece.size() > prefix.size() && piece.starts_with(prefix)) following_.add(piece.substr(prefix.size()), id);
  }
}

void word_piece_tokenizer::encode_text(std::string_view text, std::vector<token>& tokens) const {
  const size_t before = tokens.size();
  const auto is_unknown = [&] {
    tokens.resize(before);
    tokens.push_back({unknown_or_throw(text), 0, static_cast<uint32_t>(text.size())});
  };
  size_t characters = 0;
  for_each_character(text, [&](size_t, size_t, uint32_t) { ++characters; });
  if (characters > words().word_characters_max) return is_unknown();
  for (size_t begin = 0; begin < text.size();) {
    const auto found = (begin == 0 ? first_ : following_).longest(text, begin, text.size());
    if (!found) return is_unknown();
    tokens.push_back({found->id, static_cast<uint32_t>(begin), static_cast<uint32_t>(begin + found->length)});
    begin += found->length;
  }
}

std::string word_piece_tokenizer::spell(std::string_view piece) const {
  const std::string_view prefix = words().continuing_prefix;
  std::string text(piece);
  if (!prefix.empty() && text.starts_with(prefix))
    text.erase(0, prefix.size());
  else
    text.insert(0, 1, ' ');
  if (words().cleans_up) clean_up(text);
  return text;
}

std::string word_piece_tokenizer::decode(std::span<const uint32_t> ids, bool special_text) const {
  std::string text;
  for (const uint32_t id : ids) {
    const std::string spelled = token_bytes(id, special_text);
    if (spelled.empty()) continue;
    if (!text.empty()) {
      text += words().kinds[id] == piece_kind::normal ? spelled : ' ' + spelled;
      continue;
    }
    text = words().pieces[id]; // What comes first is as the vocabulary spells it.
    if (words().cleans_up) clean_up(text);
  }
  return text;
}

} // namespace troupe
