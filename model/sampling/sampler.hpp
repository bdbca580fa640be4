#pragma once
// From a row of logits to a token.
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// How the next token is chosen. Applied in this order: logit_bias, repetition / frequency / presence penalties,
/// (temperature 0: arg-max, lowest id on a tie), top_k, temperature, top_p, min_p, draw.
struct sampling_options {
  float temperature = 0.8f;        // 0: greedy.
  uint32_t top_k = 40;             // Keep the k largest; 0: all.
  float top_p = 0.95f;             // Keep the smallest set with at least this probability (Holtzman et al. 2020); 1: all.
  float min_p = 0.05f;             // Drop what is less likely than min_p times the likeliest; 0: none.
  float repetition_penalty = 1.0f; // Divides (multiplies, where negative) the logits of tokens in the window (Keskar 2019).
  float presence_penalty = 0.0f;   // Subtracted once from every token in the window.
  float frequency_penalty = 0.0f;  // Subtracted for each occurrence in the window.
  uint32_t penalty_window = 64;    // The last tokens, prompt included, the penalties look at; 0: all.
  std::vector<std::pair<uint32_t, float>> logit_bias; // Added to these tokens; -infinity forbids a token.
  uint64_t seed = 0;
};

/// A reason to refuse the options, in words for the user, or an empty string.
std::string invalid(const sampling_options& options, uint32_t vocabulary);

/// The token for position `position` (the index it will have in the sequence). log: the tokens before it.
/// The draw depends on (seed, position) only, through a counter-based generator (Philox 4x32-10, Salmon et al. 2011), so
/// it may run anywhere, any number of times. logits: finite, or -infinity for tokens that may not be chosen; not all of them.
uint32_t sample(const sampling_options& options, std::span<const float> logits, std::span<const uint32_t> log,
                uint64_t position);

/// A uniform number in [0, 1) with 53 random bits: the generator above.
double counter_uniform(uint64_t seed, uint64_t position);

} // namespace troupe
