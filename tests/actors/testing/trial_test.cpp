// Goal: while faults are injected nothing wrong is ever handed to a client, and afterwards everything finishes and the troupe
// is as it was. Method: the real actors in one thread; each seed draws its own order of events and its own fault schedule: see
// actors/testing/simulated_injector.hpp.
// TROUPE_SEED=n runs one seed alone, TROUPE_SEEDS=n seeds 1 to n.
#include "actors/testing/trial.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

const trial_setup& tiny_setup() {
  static const auto setup = make_tiny_setup();
  return setup;
}

} // namespace

TEST_CASE("with random faults nothing wrong comes out, and after them everything finishes", "[trial]") {
  injection_counts all;
  const auto chosen = seeds(2000);
  for (const uint64_t seed : chosen) {
    const auto report = run_trial(tiny_setup(), seed);
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    if (chosen.size() == 1) run_trial(tiny_setup(), seed, [](const std::string& line) { std::cout << line << '\n'; });
    all.add(report.injected);
  }
  if (chosen.size() < 1000) return;
  for (size_t kind = 0; kind < fault_kinds; ++kind) {
    INFO(to_string(fault_kind(kind)));
    CHECK(all.by_kind[kind] > 0);
  }
  for (const auto& role : tiny_setup().roles) {
    INFO(role);
    CHECK(all.targets.contains(role));
  }
}

TEST_CASE("without faults nothing is injected, and no actor is replaced", "[trial]") {
  for (const uint64_t seed : seeds(50)) {
    const auto report = run_trial(tiny_setup(), seed, no_faults());
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
