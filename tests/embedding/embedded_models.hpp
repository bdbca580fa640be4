#pragma once
// What the tests of programs that embed an engine share: a small model, and requests to it.
#include "actors/engine.hpp"
#include "model/testing/tiny_model.hpp"
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

namespace troupe::testing {

inline std::shared_ptr<const model_file> small_model() {
  static const auto model = open_model(write_tiny_model({.context = 512}));
  return model;
}

/// Requests that differ, of the same length.
inline generate_request numbered_request(uint32_t number, uint32_t tokens_max = 40) {
  generate_request request;
  for (uint32_t i = 0; i < 6; ++i) request.prompt.push_back(260 + (number + 7 * i) % 50);
  request.tokens_max = tokens_max;
  request.ignore_end_of_generation = true;
  request.sampling.temperature = number % 2 == 0 ? 0.f : 0.9f;
  request.sampling.seed = number;
  return request;
}

/// The answers that an engine gives to numbered requests, when nothing else happens.
inline std::vector<std::vector<uint32_t>> undisturbed_answers(uint32_t count, uint32_t tokens_max = 40) {
  engine alone{small_model(), {.threads = 2}};
  auto client = alone.connect_async();
  std::vector<std::future<expected<answer>>> asked;
  for (uint32_t i = 0; i < count; ++i) asked.push_back(client.ask(numbered_request(i, tokens_max)));
  std::vector<std::vector<uint32_t>> answers;
  for (auto& one : asked) answers.push_back(one.get().value().tokens);
  return answers;
}

/// What becomes of a request that is cancelled: unless the machine was so busy that it was done before.
inline bool was_cancelled_or_done(const expected<answer>& found, size_t tokens) {
  return found && (found->reason == finish_reason::cancelled || found->tokens.size() == tokens);
}

/// How often what is repeated is repeated: by default for as long as a test may take, more with TROUPE_EMBEDDING_ROUNDS.
inline uint32_t rounds(uint32_t usual) {
  const char* more = std::getenv("TROUPE_EMBEDDING_ROUNDS");
  return more ? uint32_t(std::strtoul(more, nullptr, 10)) : usual;
}

} // namespace troupe::testing
