#pragma once
// Which tokens may be next, whatever chooses among them: forced and forbidden tokens, repeated n-grams, a least length, times of speech.
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace troupe {

/// Models that listen write times among the text, as tokens (Radford et al. 2022, §2.3 and §4.5). The first generated token is a time, at
/// most initial_max steps late; times never go back; two of them stand side by side where a segment ends and the next begins, or one at
/// the end; and where all times together are likelier than the likeliest other token, the next token is a time.
struct timestamp_rules {
  uint32_t first = 0;    // The token of time 0. Those behind it are later times; the one before it, "no times", never comes.
  uint32_t text_end = 0; // Tokens below this one are text: whisper's end token.
  std::optional<uint32_t> initial_max = {};
  bool operator==(const timestamp_rules&) const = default;
};

/// With the meaning that transformers gives to the settings of the same names.
struct token_rules {
  std::vector<uint32_t> end_tokens;      // What ends a sequence.
  uint32_t tokens_min = 0;               // Generated tokens before an end token is allowed (min_new_tokens).
  uint32_t no_repeat_ngram = 0;          // No n tokens in a row occur twice in a log; 0: no rule (no_repeat_ngram_size).
  std::optional<uint32_t> forced_first;  // The first generated token (forced_bos_token_id).
  std::optional<uint32_t> forced_last;   // The last one, where there is no room for another (forced_eos_token_id).
  std::vector<std::vector<uint32_t>> forbidden; // Sequences that must not occur (bad_words_ids).

  std::vector<uint32_t> suppressed;             // Never generated (suppress_tokens),
  std::vector<uint32_t> suppressed_first;       // or not as the first token (begin_suppress_tokens).
  std::optional<timestamp_rules> timestamps;

  bool empty() const; // Apart from the end tokens: apply() changes nothing.
  bool ends(uint32_t token) const;
  /// scores of tokens that may not be next become -infinity; a forced one becomes 0, and all others -infinity. log: the tokens before
  /// it, of which `generated` were generated; at most tokens_max will be.
  void apply(std::span<float> scores, std::span<const uint32_t> log, uint32_t generated, uint32_t tokens_max) const;
};

/// A reason to refuse the rules, in words for the user, or an empty string.
std::string invalid(const token_rules& rules, uint32_t vocabulary);

} // namespace troupe
