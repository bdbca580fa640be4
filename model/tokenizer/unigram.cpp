#include "model/tokenizer/unigram.hpp"
#include "model/error.hpp"
#include "model/utf8.hpp"
#include <algorithm>
#include <limits>

namespace troupe {

unigram_tokenizer::unigram_tokenizer(const vocabulary& vocabulary) : space_mark_tokenizer(vocabulary) {
  require_scores();
  double worst = std::numeric_limits<double>::infinity();
  for (uint32_t id = 0; id < words().pieces.size(); ++id) {
    worst = std::min<double>(worst, words().scores[id]);
    if (const auto& piece = words().pieces[id]; !piece.empty() && find(piece) == id) pieces_.add(piece, id);
  }
  unknown_score_ = worst - 10;
}

void unigram_tokenizer::encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const {
  // By where a prefix of the word ends: the best way to cut it, by its last piece.
  struct step {
    double score = -std::numeric_limits<double>::infinity();
    uint32_t begin = 0;
    uint32_t id = no_piece;
    bool is_reached() const { return score > -std::numeric_limits<double>::infinity(); }
  };
  std::vector<step> best(word.size() + 1);
  best[0] = {0, 0, no_piece};
  for (size_t begin = 0; begin < word.size();) {
    const auto character = utf8_next(word, begin);
    const size_t length = character.state == utf8_state::whole ? character.bytes : 1;
    const auto offer = [&](size_t end, double score, uint32_t id) {
      if (score > best[end].score) best[end] = {score, static_cast<uint32_t>(begin), id};
    };
    bool is_piece = false;
    pieces_.for_each(word, begin, [&](const piece_matcher::match& match) {
      is_piece = is_piece || match.length == length;
      offer(begin + match.length, best[begin].score + words().scores[match.id], match.id);
    });
    if (!is_piece) offer(begin + length, best[begin].score + unknown_score_, no_piece);
    begin += length;
  }

  std::vector<step> way; // Backwards; begin stays, the end is where the one before begins.
  for (size_t end = word.size(); end > 0; end = best[end].begin) {
    TROUPE_ASSERT(best[end].is_reached() && best[end].begin < end);
    way.push_back(best[end]);
  }
  for (size_t i = way.size(); i > 0;) {
    const step& first = way[--i];
    if (first.id != no_piece) {
      const size_t end = i > 0 ? way[i - 1].begin : word.size();
      tokens.push_back({first.id, offset + first.begin, offset + static_cast<uint32_t>(end)});
      continue;
    }
    while (i > 0 && way[i - 1].id == no_piece) --i;
    const size_t end = i > 0 ? way[i - 1].begin : word.size();
    append_bytes(word.substr(first.begin, end - first.begin), offset + first.begin, tokens);
  }
}

} // namespace troupe
