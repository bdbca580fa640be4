// Goal: worker processes may die, links may stall and break at any moment, beside all that goes wrong elsewhere: every request finishes
// with what the reference computes. TROUPE_SEED=n runs one seed alone.
#include "actors/testing/simulated_nodes.hpp"
#include "actors/testing/simulated_troupe.hpp"
#include "actors/testing/trial.hpp"
#include "actors/testing/simulated_engine.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

/// A troupe whose layers are computed by two simulated processes, and a spare.
struct cluster_under_test {
  simulated_nodes nodes{make_tiny_parts(), 2, true};
  simulated_troupe troupe;

  explicit cluster_under_test(uint64_t seed) : troupe(seed, config()) {
    nodes.begin(troupe.sim);
    troupe.on_close = [this] { nodes.end(); };
    for (uint32_t i = 0; i < 4; ++i) {
      v1::GenerateRequest request;
      for (uint32_t t = 0; t < 3 + i; ++t) request.add_prompt_tokens(5 + t);
      request.set_tokens_max(20);
      request.set_ignore_end_of_generation(true);
      troupe.tracker().submit(std::move(request));
    }
  }
  troupe_config config() {
    troupe_config config{make_tiny_parts(), nullptr, {}};
    config.limits.cache_positions_max = 400;
    config.replicas = 2;
    config.cluster = nodes.tree(400);
    return config;
  }
};

} // namespace

TEST_CASE("with random faults of processes and links nothing wrong comes out of workers, and afterwards everything finishes",
          "[simulation][cluster]") {
  for (const auto kind : {tiny_kind::decoder, tiny_kind::encoder_decoder}) {
    const auto setup = make_tiny_setup(3, kind, 2, 2);
    for (const uint64_t seed : seeds(100)) {
      const auto report = run_trial(setup, seed);
      INFO("TROUPE_SEED=" << seed);
      REQUIRE(report.problem == "");
    }
  }
}

TEST_CASE("processes die and links break, stall and are slow in a simulation, and the same seed does the same", "[simulation][cluster]") {
  simulated_nodes::counts all;
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    uint64_t fingerprints[2];
    for (auto& fingerprint : fingerprints) {
      cluster_under_test one(seed);
      REQUIRE(one.troupe.run([&] { one.nodes.disturb(); }));
      one.nodes.calm();
      fingerprint = one.troupe.sim.fingerprint();
      const auto& happened = one.nodes.happened();
      all.deaths += happened.deaths, all.breaks += happened.breaks, all.stalls += happened.stalls, all.kills += happened.kills;
      REQUIRE(one.troupe.close() == 0);
    }
    CHECK(fingerprints[0] == fingerprints[1]);
  }
  CHECK(all.deaths > 10);
  CHECK(all.breaks > 10);
  CHECK(all.stalls > 10);
  CHECK(all.kills > 10);
}

TEST_CASE("when a process dies, the spare computes its layers, and only they are computed elsewhere", "[simulation][cluster]") {
  cluster_under_test one(1);
  const auto of = [&](const std::string& path) { return one.troupe.find(path); };
  uint32_t tokens = 0;
  one.troupe.on_event = [&](const generation_event& event) { tokens += event.kind == event_kind::token; };
  while (tokens < 5 && one.troupe.step()) {}
  REQUIRE(tokens == 5);
  const auto other = of("/replica/0/remote_layers/1");
  one.nodes.end_process(0);
  REQUIRE(one.troupe.run());
  CHECK(of("/replica/0/remote_layers/1") == other); // The other stage, its process and the scheduler are the same as before.
  CHECK(one.troupe.starts.at("/scheduler") == 1);
  CHECK(one.troupe.starts.at("/replica/0/remote_layers/0") == 1);
  for (const auto& [id, outcome] : one.troupe.outcomes) CHECK(outcome.end == "length");
}

} // namespace troupe
