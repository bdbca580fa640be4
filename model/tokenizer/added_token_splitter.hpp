#pragma once
// Finds the added tokens of a tokenizer.json in a text.
#include "model/tokenizer/normalizer.hpp"
#include "model/tokenizer/piece_matcher.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <string>
#include <unordered_map>

namespace troupe {

/// Goes through the text once: wherever tokens begin, the longest takes its place, and what follows is looked
/// at behind it. Tokens may be limited to whole words and may take the white space around them. Special
/// tokens are those of kind control or unknown; where they are not wanted, their text is ordinary.
class added_token_splitter {
public:
  /// words.added_tokens must be set, and their ids be pieces.
  added_token_splitter(const vocabulary& words, const normalizer& rules);

  /// The text cut into fragments, in order, none of them empty. Time O(n d), d the longest token.
  std::vector<text_fragment> split(std::string_view text, bool with_special) const;
  /// The same with the tokens that are looked for in normalised text, in their normalised spelling.
  std::vector<text_fragment> split_normalized(std::string_view text, bool with_special) const;

private:
  struct rule {
    added_token token;
    bool is_special;
  };
  std::vector<text_fragment> split_by(const piece_matcher& matcher, std::string_view text,
                                      bool with_special) const;

  std::unordered_map<uint32_t, rule> rules_;
  piece_matcher raw_, normalized_;
};

} // namespace troupe
