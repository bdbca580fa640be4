#include "model/tokenizer/tokenizer.hpp"

namespace troupe {

std::string tokenizer::decode(std::span<const uint32_t> ids, bool special_text) const {
  std::string text;
  for (const uint32_t id : ids)
    text += token_bytes(id, special_text);
  if (words().drops_first_space && text.starts_with(' '))
    text.erase(0, 1);
  return text;
}

} // namespace troupe
