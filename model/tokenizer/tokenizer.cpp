#include "model/tokenizer/tokenizer.hpp"

namespace troupe {

std::string tokenizer::decode(std::span<const uint32_t> ids, bool special_text) const {
  std::string text;
  for (const uint32_t id : ids)
    text += token_bytes(id, special_text);
  return text;
}

} // namespace troupe
