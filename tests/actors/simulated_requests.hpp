#pragma once
// Three requests to a tiny model in a simulated troupe, and what must come out of them.
#include "actors/requests/decoding_messages.hpp"
#include "actors/testing/simulated_troupe.hpp"
#include "model/model_file.hpp"
#include "model/testing/tiny_model.hpp"
#include "model/tokenizer/make_tokenizer.hpp"
#include "support/catch.hpp"

namespace troupe::testing {

using outcome = request_outcome;

inline std::shared_ptr<const model_parts> tiny_parts() {
  static const auto parts = make_parts(
    open_model(write_tiny_model(
      {.layers = 2, .width = 32, .heads = 4, .kv_heads = 2, .head_dim = 8, .feed_forward = 64, .context = 32})),
    {.shards = 2});
  return parts;
}

inline troupe_config small_troupe() {
  static const std::shared_ptr<const tokenizer> words = make_tokenizer(tiny_parts()->file->words);
  troupe_config config{tiny_parts(), words, {}, 3, {}};
  config.limits = {.step_rows_max = 7, .prefill_chunk = 4, .logits_rows_max = 5, .cache_positions_max = 40};
  return config;
}

inline v1::GenerateRequest make_request(uint32_t seed, uint32_t prompt, uint32_t tokens_max) {
  v1::GenerateRequest request;
  raw_bits bits{seed};
  for (uint32_t i = 0; i < prompt; ++i) request.add_prompt_tokens(uint32_t(bits.below(320)));
  request.set_tokens_max(tokens_max);
  request.set_ignore_end_of_generation(true);
  sampling_options sampling;
  sampling.temperature = seed % 2 == 0 ? 0.0f : 0.9f;
  sampling.seed = seed;
  *request.mutable_sampling() = to_message(sampling);
  return request;
}

/// Two generations, one of them sampled with a seed, and a scoring with all logits and hidden states.
inline std::vector<v1::GenerateRequest> three_requests() {
  std::vector<v1::GenerateRequest> requests{make_request(2, 9, 12), make_request(5, 3, 14), make_request(4, 11, 0)};
  requests[2].set_want_logits(true);
  requests[2].set_want_hidden_states(true);
  return requests;
}

inline const std::vector<outcome>& wanted() {
  static const auto outcomes = [] {
    std::vector<outcome> all;
    for (const auto& request : three_requests()) all.push_back(by_reference(tiny_parts(), request));
    return all;
  }();
  return outcomes;
}

inline void check_outcomes(const std::map<uint64_t, outcome>& outcomes) {
  REQUIRE(outcomes.size() == wanted().size());
  size_t i = 0;
  for (const auto& [id, out] : outcomes) {
    INFO("request " << id);
    REQUIRE(difference(out, wanted()[i++], true) == "");
  }
}

inline void submit_all(simulated_troupe& troupe) {
  for (auto& request : three_requests()) troupe.tracker().submit(std::move(request));
}

} // namespace troupe::testing
