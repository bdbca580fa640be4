#include "model/tokenizer/make_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/byte_pair.hpp"
#include "model/tokenizer/character_pair.hpp"
#include "model/tokenizer/marian.hpp"
#include "model/tokenizer/sentencepiece.hpp"
#include "model/tokenizer/unigram.hpp"
#include "model/tokenizer/word_piece.hpp"

namespace troupe {

std::optional<uint32_t> mask_token(const vocabulary& words) {
  for (const char* name : {"[MASK]", "<mask>"})
    for (uint32_t id = 0; id < words.pieces.size(); ++id) {
      const auto kind = words.kinds[id];
      if (words.pieces[id] == name && (kind == piece_kind::control || kind == piece_kind::user_defined)) return id;
    }
  return std::nullopt;
}

namespace {

std::shared_ptr<const tokenizer> make_marian(const vocabulary& words) {
  if (!words.cutter) throw input_error("the vocabulary is inconsistent: nothing says how text is cut into its pieces");
  vocabulary without_rules = *words.cutter;
  without_rules.rules.clear();
  return std::make_shared<marian_tokenizer>(words, make_tokenizer(without_rules));
}

} // namespace

std::shared_ptr<const tokenizer> make_tokenizer(const vocabulary& words) {
  switch (words.kind) {
    case tokenizer_kind::sentencepiece:
      return std::make_shared<sentencepiece_tokenizer>(words);
    case tokenizer_kind::byte_pair:
      return std::make_shared<byte_pair_tokenizer>(words);
    case tokenizer_kind::character_pair:
      return std::make_shared<character_pair_tokenizer>(words);
    case tokenizer_kind::unigram:
      return std::make_shared<unigram_tokenizer>(words);
    case tokenizer_kind::word_piece:
      return std::make_shared<word_piece_tokenizer>(words);
    case tokenizer_kind::marian:
      return make_marian(words);
    case tokenizer_kind::none:
      break;
  }
  throw input_error("this model has no vocabulary: it takes and gives token ids, not text");
}

} // namespace troupe
