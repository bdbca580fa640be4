#include "model/tokenizer/character_pair.hpp"

namespace troupe {

character_pair_tokenizer::character_pair_tokenizer(const vocabulary& vocabulary)
    : space_mark_tokenizer(vocabulary) {
  rules_.reserve(words().merges.size());
  for (uint32_t rank = 0; rank < words().merges.size(); ++rank) {
    const auto [left, right] = halves_of_merge(rank);
    const auto left_id = find(left), right_id = find(right),
               id = find(std::string(left) + std::string(right));
    if (left_id && right_id && id) // Ordinary text becomes no special piece, even by merging.
      rules_.emplace(uint64_t(*left_id) << 32 | *right_id, rule{rank, *id});
  }
}

void character_pair_tokenizer::encode_word(std::string_view word, uint32_t offset, std::vector<token>& tokens) const {
  merge_chain chain;
  add_characters(word, chain);
  chain.merge(
      [&](const merge_chain::symbol& left, const merge_chain::symbol& right) -> std::optional<merge_result> {
        const auto found = rules_.find(uint64_t(left.value) << 32 | right.value);
        if (found == rules_.end()) return {};
        return merge_result{-static_cast<double>(found->second.rank), found->second.piece};
      });
  append_symbols(word, offset, chain, tokens);
}

} // namespace troupe
