// Goal: whichever family a model is of, any of its actors may be lost, and every request gets what the reference gives: tokens, results,
// hidden states, beam searches. Method: the real actors in one thread (actors/testing/trial.hpp); a fault plan hits one kind of
// actor after the other, then random faults hit all. TROUPE_SEED=n runs one seed alone.
#include "actors/faults/plan.hpp"
#include "actors/testing/trial.hpp"
#include "actors/tiny_families.hpp"
#include "support/catch.hpp"

#include <cctype>

namespace troupe {
namespace {

using namespace testing;

trial_setup setup_of_family(const tiny_family& family) { return make_setup(make_parts(make(family), {.shards = 2}), 3); }

/// One path of each kind of actor: those that differ in numbers alone are of one kind.
std::map<std::string, std::string> path_of_each_kind(const std::vector<std::string>& paths) {
  std::map<std::string, std::string> kinds{{"a sequence", "/sequences/*"}};
  for (const auto& path : paths) {
    std::string kind = path;
    std::ranges::replace_if(kind, [](unsigned char c) { return std::isdigit(c); }, '0');
    kinds[kind] = path; // The last one.
  }
  return kinds;
}

/// The actor at `path` is killed when the nth message with hidden states is on its way.
v1::FaultPlan plan_to_lose(const std::string& path, uint64_t nth) {
  return parse_fault_plan(R"({"faults": [{"name": "lost", "selector": {"path": ")" + path +
                          R"(", "to": "/replica/**", "message": "HiddenStates"}, "trigger": {"nth_message": )" + std::to_string(nth) +
                          R"(}, "effect": {"kill": {}}}]})");
}

} // namespace

TEST_CASE("a model of each family survives the loss of every kind of its actors") {
  for (const auto& family : encoder_families) {
    const auto setup = setup_of_family(family);
    const auto kinds = path_of_each_kind(setup.paths);
    const bool has_encoder = kinds.contains("/replica/0/encoder/embedding");
    CHECK(kinds.contains("/replica/0/layer/0/cross_head/0") == has_encoder);
    CHECK(kinds.size() == (has_encoder ? 20 : 14));
    uint64_t seed = 1;
    for (const auto& [kind, path] : kinds) {
      const uint64_t nth = has_encoder ? 12 : 4; // In a later step: there is something to lose.
      const auto report = run_trial(setup, seed, plan_to_lose(path, nth), {}, {.steps = 30'000});
      INFO(family.name << ": " << path << " at message " << nth << ", seed " << seed++);
      CHECK(report.problem == "");
      CHECK(report.injected.plan == std::map<std::string, uint64_t>{{"lost", 1}});
      CHECK((report.restarts >= 1 || path.starts_with("/sequences"))); // Sequences are not started again, but anew.
    }
  }
}

TEST_CASE("a model of each family survives random faults") {
  for (const auto& family : encoder_families) {
    const auto setup = setup_of_family(family);
    injection_counts all;
    for (const uint64_t seed : seeds(40)) {
      const auto report = run_trial(setup, seed);
      INFO(family.name << ": TROUPE_SEED=" << seed);
      CHECK(report.problem == "");
      all.add(report.injected);
    }
    CHECK(all.targets.size() >= setup.roles.size() / 2);
  }
}

} // namespace troupe
