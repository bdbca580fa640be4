#include "model/training/data/vocabulary_options.hpp"
#include "model/error.hpp"
#include "model/formats/byte_reader.hpp"
#include "model/utf8.hpp"
#include <algorithm>

namespace troupe {

void require_valid(const vocabulary_options& options) {
  if (!(options.character_coverage >= 0.98 && options.character_coverage <= 1))
    throw input_error("the character coverage is " + std::to_string(options.character_coverage) + "; it must be in [0.98, 1]");
  if (options.sample_bytes == 0) throw input_error("the sample of text to learn from is to have no bytes");
  std::vector<std::string> special{options.unknown, options.bos, options.eos};
  if (options.padding) special.push_back(*options.padding);
  special.insert(special.end(), options.user_defined.begin(), options.user_defined.end());
  for (const auto& piece : special)
    if (piece.empty() || !is_utf8(piece) || piece.find_first_of(std::string_view("\0\t\r\n", 4)) != std::string::npos)
      throw input_error("the special piece " + in_quotes(piece) + " is empty, not UTF-8, or has control characters");
  std::sort(special.begin(), special.end());
  if (const auto twice = std::adjacent_find(special.begin(), special.end()); twice != special.end())
    throw input_error("two special pieces are called " + in_quotes(*twice));
  if (const uint64_t least = special.size() + (options.byte_fallback ? 256 : 0) + 1; options.size < least)
    throw input_error("a vocabulary of " + std::to_string(options.size) + " pieces is too small: special ones" +
                      (options.byte_fallback ? " and bytes" : "") + " alone are " + std::to_string(least - 1));
  if (options.size > 1 << 24) throw input_error("a vocabulary of " + std::to_string(options.size) + " pieces is too large");
}

} // namespace troupe
