#pragma once
// How many tokens a request took, in each API's words.
#include "apps/service/api/choice.hpp"
#include "apps/service/api/json_text.hpp"
#include <cstdint>
#include <vector>

namespace troupe::service {

struct token_usage {
  uint64_t prompt = 0, cached = 0, generated = 0; // The prompt once for all choices that have the same.
};

inline token_usage usage_of(const std::vector<choice>& choices, size_t choices_per_prompt) {
  token_usage usage;
  for (size_t i = 0; i < choices.size(); ++i) {
    usage.generated += choices[i].tokens.size();
    if (i % choices_per_prompt != 0) continue;
    usage.prompt += choices[i].prompt_tokens;
    usage.cached += choices[i].prompt_tokens_cached;
  }
  return usage;
}

inline json openai_usage(const token_usage& usage) {
  return {{"prompt_tokens", usage.prompt},
          {"completion_tokens", usage.generated},
          {"total_tokens", usage.prompt + usage.generated},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached}, {"audio_tokens", 0}}},
          {"completion_tokens_details", {{"reasoning_tokens", 0}, {"audio_tokens", 0},
                                         {"accepted_prediction_tokens", 0}, {"rejected_prediction_tokens", 0}}}};
}

} // namespace troupe::service
