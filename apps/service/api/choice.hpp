#pragma once
#include "actors/requests/generation.hpp"
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe::service {

/// One of the answers that a request asked for.
struct choice {
  uint32_t prompt_tokens = 0, prompt_tokens_cached = 0;
  std::string text;
  std::vector<uint32_t> tokens;
  std::vector<std::vector<token_logprob>> logprobs; // By token, where they are wanted.
  std::vector<size_t> places;                       // By token: where in `text` its own begins.
  std::vector<float> rows;                          // Logits or hidden states of a model that does not generate.
  std::vector<hypothesis> hypotheses;               // Of a beam search.
  std::optional<finish_reason> reason;              // Once it has finished.
};

} // namespace troupe::service
