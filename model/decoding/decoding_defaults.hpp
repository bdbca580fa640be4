#pragma once
// How a model's publisher wants it to be decoded, as data: what `generation_config.json` says.
#include "model/decoding/beam_search.hpp"
#include "model/decoding/speech_tokens.hpp"
#include "model/decoding/token_rules.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// What was said and does not count.
struct ignored_setting {
  std::string key, reason; // reason: for people, with file and key.
};

struct decoding_defaults {
  std::optional<uint32_t> tokens_max; // Generated tokens (max_new_tokens, or max_length less the token that the decoder begins with).
  beam_options search{.beams = 1};    // One beam: greedy.
  token_rules rules;                  // End tokens included.
  std::optional<speech_tokens> speech; // Of a model that listens and has a vocabulary.
  std::vector<ignored_setting> ignored; // What is not supported here and would change the result, and what cannot be meant.
};

} // namespace troupe
