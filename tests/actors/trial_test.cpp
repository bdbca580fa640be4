// Goal: in any storm nothing wrong is ever handed to a client, and after it everything finishes and all is as it was.
// Method: the real actors in one thread; each seed draws its own order of events and its own weather: see
// actors/testing/storm.hpp.
// TROUPE_SEED=n runs one seed alone, TROUPE_SEEDS=n seeds 1 to n.
#include "actors/testing/trial.hpp"
#include "support/catch.hpp"

namespace troupe {
namespace {

using namespace testing;

const trial_world& tiny_world() {
  static const auto world = make_tiny_world();
  return world;
}

} // namespace

TEST_CASE("in any storm nothing wrong comes out, and after it everything finishes", "[trial]") {
  tally all;
  const auto chosen = seeds(2000);
  for (const uint64_t seed : chosen) {
    const auto report = run_trial(tiny_world(), seed);
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    if (chosen.size() == 1) run_trial(tiny_world(), seed, [](const std::string& line) { std::cout << line << '\n'; });
    all.add(report.struck);
  }
  if (chosen.size() < 1000) return;
  for (size_t kind = 0; kind < strike_kinds; ++kind) {
    INFO(to_string(strike(kind)));
    CHECK(all.struck[kind] > 0);
  }
  for (const auto part : all_parts()) {
    INFO(part);
    CHECK(all.victims.contains(std::string(part)));
  }
}

TEST_CASE("in fair weather nothing strikes, and nobody is replaced", "[trial]") {
  for (const uint64_t seed : seeds(50)) {
    const auto report = run_trial(tiny_world(), seed, fair_weather());
    INFO("TROUPE_SEED=" << seed);
    CHECK(report.problem == "");
    CHECK(report.restarts == 0);
    CHECK(report.resubmitted == 0);
    for (const auto count : report.struck.struck) CHECK(count == 0);
  }
}

TEST_CASE("the same seed gives the same trial, line by line; other seeds others", "[trial]") {
  const auto trace_of = [](uint64_t seed) {
    std::string lines;
    const auto report = run_trial(tiny_world(), seed, [&](const std::string& line) { lines += line + '\n'; });
    return std::make_pair(report.fingerprint, lines);
  };
  for (const uint64_t seed : {3, 4, 5}) {
    const auto once = trace_of(seed);
    CHECK(once == trace_of(seed));
    CHECK(once.first == run_trial(tiny_world(), seed).fingerprint); // Looking changes nothing.
    CHECK(once != trace_of(seed + 100));
    CHECK(once.second.find("AttendStep") != std::string::npos);
  }
}

} // namespace troupe
