// Goal: while faults are injected nothing wrong is ever handed to a client, and afterwards everything finishes and the troupe
// is as it was. Method: the real actors in one thread; each seed draws its own order of events and its own fault schedule: see
// actors/testing/simulated_injector.hpp.
// TROUPE_SEED=n runs one seed alone, TROUPE_SEEDS=n seeds 1 to n.
#include "actors/faults/plan.hpp"
#include "actors/testing/training_job.hpp"
#include "actors/testing/trial.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

const trial_setup& tiny_setup() {
  static const auto setup = make_tiny_setup();
  return setup;
}
const trial_setup& tiny_training() {
  static const auto setup = make_tiny_training_setup();
  return setup;
}

/// Every seed's trial finds nothing wrong, and over 1000 or more seeds every kind of fault is injected, and into every role.
void check_trials(const trial_setup& setup, uint64_t count) {
  injection_counts all;
  const auto chosen = seeds(count);
  for (const uint64_t seed : chosen) {
    const auto report = run_trial(setup, seed);
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    if (chosen.size() == 1) run_trial(setup, seed, [](const std::string& line) { std::cout << line << '\n'; });
    all.add(report.injected);
  }
  if (chosen.size() < 1000) return;
  for (size_t kind = 0; kind < fault_kinds; ++kind) {
    INFO(to_string(fault_kind(kind)));
    CHECK(all.by_kind[kind] > 0);
  }
  for (const auto& role : setup.roles) {
    INFO(role);
    CHECK(all.targets.contains(role));
  }
}

} // namespace

TEST_CASE("with random faults nothing wrong comes out, and after them everything finishes", "[trial]") {
  check_trials(tiny_setup(), 2000);
}

TEST_CASE("steps that are lost because the scheduler itself has had actors replaced count against no request", "[trial]") {
  CHECK(run_trial(tiny_setup(), 8370).problem == ""); // Four late steps in a row, and with each two actors that are replaced.
}

TEST_CASE("with random faults a training run gets the reference's weights, and after them it finishes", "[trial][training]") {
  check_trials(tiny_training(), 1000);
}

TEST_CASE("with random faults the training of an encoder-decoder and of a classifier gets the reference's weights", "[trial][training]") {
  const auto setups = make_tiny_training_setups();
  for (const auto& setup : {setups[1], setups[2]}) check_trials(setup, 300);
}

TEST_CASE("the roles and paths of a load are those of its actors", "[trial]") {
  CHECK(tiny_setup().roles.size() == 14);
  CHECK(tiny_setup().roles.contains("sequence"));
  CHECK(tiny_training().roles.size() == 13);
  CHECK(tiny_training().roles.contains("trainer"));
  CHECK(tiny_training().roles.contains("loader"));
  auto paths = actor_paths(*make_tiny_training_job().model);
  std::ranges::sort(paths);
  CHECK(tiny_training().paths == paths);
}

TEST_CASE("a training run under a fault plan gets the reference's weights", "[trial][training]") {
  const auto plan = parse_fault_plan(R"({"faults": [
    {"name": "the trainer", "selector": {"path": "/trainer"}, "trigger": {"nth_message": 60}, "effect": {"kill": {}}},
    {"name": "a head hangs", "selector": {"path": "/replica/0/layer/0/head/1"}, "trigger": {"nth_message": 40}, "effect": {"hang": {}}},
    {"name": "the client's reports", "selector": {"path": "/client/1", "message": "StepReport"}, "trigger": {"repeat": 2},
     "effect": {"drop": {}}},
    {"name": "NaN", "selector": {"from": "/replica/0/output/shard/0", "message": "LogitSums"}, "trigger": {"nth_message": 5},
     "effect": {"not_a_number": {}}},
    {"name": "infinite squares", "selector": {"message": "GradientSquares", "path": "/trainer"}, "trigger": {"nth_message": 20},
     "effect": {"infinite": {}}}]})");
  for (const uint64_t seed : seeds(20)) {
    const auto report = run_trial(tiny_training(), seed, plan);
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    CHECK(report.injected.plan.size() == 5);
  }
}

TEST_CASE("without faults nothing is injected, and no actor is replaced", "[trial]") {
  const auto& setup = GENERATE(0, 1) == 0 ? tiny_setup() : tiny_training();
  for (const uint64_t seed : seeds(50)) {
    const auto report = run_trial(setup, seed, no_faults());
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    CHECK(report.restarts == 0);
    CHECK(report.repeated == 0);
    for (const auto count : report.injected.by_kind) CHECK(count == 0);
  }
}

TEST_CASE("the same seed gives the same trial, line by line; other seeds others", "[trial]") {
  const auto trace_of = [](uint64_t seed) {
    std::string lines;
    const auto report = run_trial(tiny_setup(), seed, [&](const std::string& line) { lines += line + '\n'; });
    return std::make_pair(report.fingerprint, lines);
  };
  for (const uint64_t seed : {3, 4, 5}) {
    const auto once = trace_of(seed);
    CHECK(once == trace_of(seed));
    CHECK(once.first == run_trial(tiny_setup(), seed).fingerprint); // Tracing changes nothing.
    CHECK(once != trace_of(seed + 100));
    CHECK(once.second.find("AttendStep") != std::string::npos);
  }
}

} // namespace troupe
