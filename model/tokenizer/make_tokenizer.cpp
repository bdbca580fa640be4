#include "model/tokenizer/make_tokenizer.hpp"
#include "model/error.hpp"
#include "model/tokenizer/byte_pair.hpp"
#include "model/tokenizer/sentencepiece.hpp"

namespace troupe {

std::shared_ptr<const tokenizer> make_tokenizer(const vocabulary& words) {
  switch (words.kind) {
    case tokenizer_kind::sentencepiece:
      return std::make_shared<sentencepiece_tokenizer>(words);
    case tokenizer_kind::byte_pair:
      return std::make_shared<byte_pair_tokenizer>(words);
    case tokenizer_kind::unigram:
      throw input_error("unigram vocabularies cannot be used yet, only made");
    case tokenizer_kind::none:
      break;
  }
  throw input_error("this model's file has no vocabulary: it takes and gives token ids, not text");
}

} // namespace troupe
