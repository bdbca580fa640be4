// The test of a program that embeds troupe: whatever happens to the actors behind it, it tells the same stories.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif
#include "story.hpp"
#include <actors/faults/plan.hpp>
#include <actors/testing/matchers.hpp>
#include <actors/testing/simulated_engine.hpp>

using namespace troupe::testing;

TEST_CASE("whatever strikes the actors, the stories stay the same") {
  const auto model = make_tiny_parts();
  simulated_engine calm(model, 1, fair_weather());
  auto undisturbed = calm.connect();
  const auto wanted = continuations(undisturbed, "Once upon a time", 3);
  REQUIRE(wanted.size() == 3);
  tally struck;
  for (const uint64_t seed : seeds(200)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_engine engine(model, seed);
    auto client = engine.connect();
    CHECK(continuations(client, "Once upon a time", 3) == wanted);
    CHECK(client.pending() == 0);
    CHECK(engine.close() == 0);
    struck.add(engine.struck());
  }
  CHECK(struck.struck[size_t(strike::kill)] > 0);
}

TEST_CASE("nor does a fault plan change them") {
  const auto plan = troupe::parse_fault_plan(R"({"seed": 1, "faults": [
    {"name": "a head dies", "selector": {"path": "/replica/0/layer/*/head/0"}, "trigger": {"nth_message": 7}, "effect": {"kill": {}}}]})");
  const auto model = make_tiny_parts();
  simulated_engine calm(model, 1, fair_weather()), disturbed(model, 1, plan);
  auto first = calm.connect(), second = disturbed.connect();
  CHECK(continuations(second, "Once upon a time", 2) == continuations(first, "Once upon a time", 2));
  CHECK(disturbed.troupe().fault_log().strikes_size() > 0);
}

TEST_CASE("the troupe itself survives a storm") {
  CHECK_THAT(run_trial(make_tiny_world(), 1), survives());
}
