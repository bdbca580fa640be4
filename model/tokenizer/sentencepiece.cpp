#include "model/tokenizer/sentencepiece.hpp"

namespace troupe {

sentencepiece_tokenizer::sentencepiece_tokenizer(const vocabulary& vocabulary) : space_mark_tokenizer(vocabulary) {
  require_scores();
}

void sentencepiece_tokenizer::encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const {
  merge_chain chain;
  add_characters(word, chain);
  chain.merge(
      [&](const merge_chain::symbol& left, const merge_chain::symbol& right) -> std::optional<merge_result> {
        const auto id = find(word.substr(left.start, left.length + right.length));
        if (!id)
          return {};
        return merge_result{words().scores[*id], *id};
      });
  append_symbols(word, offset, chain, tokens);
}

} // namespace troupe
