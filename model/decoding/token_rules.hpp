#pragma once
// Which tokens may be next, whatever chooses among them: forced and forbidden tokens, repeated n-grams, a least length.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe {

/// With the meaning that transformers gives to the settings of the same names.
struct token_rules {
  std::vector<uint32_t> end_tokens;      // What ends a sequence.
  uint32_t tokens_min = 0;               // Generated tokens before an end token is allowed (min_new_tokens).
  uint32_t no_repeat_ngram = 0;          // No n tokens in a row occur twice in a log; 0: no rule (no_repeat_ngram_size).
  std::optional<uint32_t> forced_first;  // The first generated token (forced_bos_token_id).
  std::optional<uint32_t> forced_last;   // The last one, where there is no room for another (forced_eos_token_id).
  std::vector<std::vector<uint32_t>> forbidden; // Sequences that must not occur (bad_words_ids).

  bool empty() const; // Apart from the end tokens: apply() changes nothing.
  bool ends(uint32_t token) const;
  /// scores of tokens that may not be next become -infinity; a forced one becomes 0, and all others -infinity. log: the tokens before
  /// it, of which `generated` were generated; at most tokens_max will be.
  void apply(std::span<float> scores, std::span<const uint32_t> log, uint32_t generated, uint32_t tokens_max) const;
};

/// A reason to refuse the rules, in words for the user, or an empty string.
std::string invalid(const token_rules& rules, uint32_t vocabulary);

} // namespace troupe
