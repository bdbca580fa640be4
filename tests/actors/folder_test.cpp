// Goal: where a model came from makes no difference to the actors: over a folder they compute what the
// sequential reference computes, bit for bit.
#include "actors/engine.hpp"
#include "model/reference.hpp"
#include "model/testing/tiny_folder.hpp"
#include "support/catch.hpp"
#include <algorithm>

namespace troupe {

TEST_CASE("over a folder of any family the actors equal the reference") {
  const std::string architecture = GENERATE(as<std::string>{}, "llama", "qwen2", "qwen3", "gpt2");
  INFO(architecture);
  const auto type = architecture == "gpt2" ? tensor_type::f16 : tensor_type::bf16;
  const auto model = open_model(testing::write_tiny_folder({.architecture = architecture, .type = type}, 2));
  generate_request request;
  request.prompt = {5, 17, 301, 8, 5, 90};
  request.tokens_max = 12;
  request.sampling.temperature = 0;
  request.ignore_end_of_generation = true;
  request.want_logits = true;

  reference_model reference(make_parts(model, {.shards = 1, .cached = usual_cache_type(*model)}));
  auto logits = reference.forward(request.prompt);
  const auto prompt_logits = logits;
  std::vector<uint32_t> expected;
  while (expected.size() < request.tokens_max) {
    const auto last = logits.end() - model->spec.vocabulary;
    expected.push_back(uint32_t(std::max_element(last, logits.end()) - last));
    logits = reference.forward({&expected.back(), 1});
  }

  engine running{model, {.threads = 2}};
  auto from = running.connect();
  from.submit(request);
  std::vector<uint32_t> tokens;
  std::vector<float> values(prompt_logits.size());
  std::string error = "unfinished";
  while (const auto event = from.next()) {
    if (event->kind == event_kind::token) tokens.push_back(event->token);
    if (event->kind == event_kind::finished) error = event->error;
    if (event->kind != event_kind::logits) continue;
    const size_t first = size_t(event->position) * event->width;
    if (first + event->values.size() > values.size()) continue; // Of the continuation.
    std::copy(event->values.begin(), event->values.end(), values.begin() + std::ptrdiff_t(first));
  }
  CHECK(error == "");
  CHECK(tokens == expected);
  CHECK(values == prompt_logits);
}

} // namespace troupe
