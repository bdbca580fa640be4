#pragma once
// Logarithms of probabilities, for who wants to know how sure a model was.
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

struct token_logprob {
  uint32_t token = 0;
  float logprob = 0; // Natural logarithm.
};

/// log softmax(logits) of `chosen`, then of the `top` likeliest tokens in order, the lower id first among equals; fewer where the
/// vocabulary is smaller. By the logits as the model gave them, before any bias, penalty or temperature.
std::vector<token_logprob> logprobs(std::span<const float> logits, uint32_t chosen, uint32_t top);

} // namespace troupe
