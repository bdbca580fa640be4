// Goal: a request that goes on behind tokens of an earlier run gives what it would have given, and nothing of it again.
#include "actors/engine.hpp"
#include "model/error.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <string>
#include <vector>

namespace troupe {
namespace {

struct result {
  std::vector<uint32_t> tokens;
  std::vector<std::string> texts; // By token; then what came with the end.
  finish_reason reason = finish_reason::error;
};

result run(client& with, generate_request request) {
  with.submit(std::move(request));
  result made;
  while (const auto event = with.next()) {
    if (event->kind == event_kind::token) made.tokens.push_back(event->token);
    if (event->kind == event_kind::finished) made.reason = event->reason;
    made.texts.push_back(event->text);
  }
  return made;
}

} // namespace

TEST_CASE("a request goes on behind the tokens of an earlier run, with the same tokens and the same text", "[continued]") {
  engine runs(open_model(testing::write_tiny_model({})), {.threads = 2});
  auto with = runs.connect();
  generate_request request;
  request.prompt = {5, 9, 17};
  request.tokens_max = 12;
  request.ignore_end_of_generation = true;
  request.sampling.temperature = 0.9f;
  request.sampling.seed = 3;
  const auto whole = run(with, request);
  REQUIRE(whole.tokens.size() == 12);
  for (size_t known = 0; known <= 12; ++known) {
    INFO(known << " tokens are known");
    auto rest = request;
    rest.generated.assign(whole.tokens.begin(), whole.tokens.begin() + ptrdiff_t(known));
    rest.was_admitted = true;
    const auto got = run(with, rest);
    CHECK(got.tokens == std::vector(whole.tokens.begin() + ptrdiff_t(known), whole.tokens.end()));
    CHECK(got.texts == std::vector(whole.texts.begin() + ptrdiff_t(known), whole.texts.end()));
    CHECK(got.reason == whole.reason);
  }
  request.generated.assign(13, 1);
  CHECK_THROWS_WITH(with.submit(request), ContainsSubstring("there are 13 generated tokens already"));
  request.generated = {~0u};
  CHECK_THROWS_WITH(with.submit(request), ContainsSubstring("vocabulary"));
}

} // namespace troupe
