#pragma once
// How a model with an encoder and a decoder finds its target texts: the options for it, and the request that they make.
#include "actors/engine.hpp"
#include "apps/troupe/cli/options.hpp"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Nothing: what the model's own configuration says.
struct decoding_arguments {
  std::optional<uint32_t> tokens_max, tokens_min, beams, no_repeat_ngram;
  uint32_t best = 1;
  std::optional<float> length_penalty;
  bool stops_early = false, stops_late = false;
  std::optional<std::string> forced_first, forced_last; // A token id, or "none".
  std::vector<std::string> forbidden;                   // Token ids, or "none".
  bool samples = false;
  sampling_arguments sampling;
};

void declare_decoding(CLI::App& app, decoding_arguments& options);
/// Completes `sampling`. Throws usage_error.
void check(decoding_arguments& options);
/// All but the source. Throws usage_error for what does not fit the model.
generate_request make_request(const decoding_arguments& options, const model_file& model);

} // namespace troupe
