// The test of a program that embeds troupe: whatever happens to the actors behind it, its stories stay the same.
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

TEST_CASE("whatever faults are injected into the actors, the stories stay the same") {
  const auto model = make_tiny_parts();
  simulated_engine undisturbed(model, 1, no_faults());
  auto undisturbed_client = undisturbed.connect();
  const auto wanted = continuations(undisturbed_client, "Once upon a time", 3);
  REQUIRE(wanted.size() == 3);
  injection_counts injected;
  for (const uint64_t seed : seeds(200)) {
    INFO("TROUPE_SEED=" << seed);
    simulated_engine engine(model, seed);
    auto client = engine.connect();
    CHECK(continuations(client, "Once upon a time", 3) == wanted);
    CHECK(client.pending() == 0);
    CHECK(engine.close() == 0);
    injected.add(engine.injected());
  }
  CHECK(injected.by_kind[size_t(fault_kind::kill)] > 0);
}

TEST_CASE("a fault plan does not change the stories") {
  const auto plan = troupe::parse_fault_plan(R"({"seed": 1, "faults": [
    {"name": "a head dies", "selector": {"path": "/replica/0/layer/*/head/0"},
     "trigger": {"nth_message": 7}, "effect": {"kill": {}}}]})");
  const auto model = make_tiny_parts();
  simulated_engine undisturbed(model, 1, no_faults()), disturbed(model, 1, plan);
  auto first = undisturbed.connect(), second = disturbed.connect();
  CHECK(continuations(second, "Once upon a time", 2) == continuations(first, "Once upon a time", 2));
  CHECK(disturbed.troupe().fault_log().injections_size() > 0);
}

TEST_CASE("the troupe itself survives injected faults") {
  CHECK_THAT(run_trial(make_tiny_setup(), 1), survives());
}
