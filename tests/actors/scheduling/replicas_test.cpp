// Goal: several replicas behind one scheduler share the work, and nobody can tell which of them answered.
#include "actors/faults/plan.hpp"
#include "actors/scheduling/batch_policy.hpp"
#include "actors/simulated_requests.hpp"
#include "actors/testing/trial.hpp"
#include "support/catch.hpp"

#include <numeric>

namespace troupe {
namespace {

using namespace testing;

constexpr batch_limits roomy{
  .step_rows_max = 16, .prefill_chunk = 16, .logits_rows_max = 16, .cache_positions_max = 1000, .prefix_block = 4};

joining_sequence generation(uint64_t id, uint32_t size, uint32_t first = 0) {
  std::vector<uint32_t> tokens(size);
  std::iota(tokens.begin(), tokens.end(), first);
  return {.id = id, .tokens = std::move(tokens), .logits_from = size - 1};
}

/// Runs steps that take 1 ms and 100 us more for each row.
void run(batch_policy& policy, int steps) {
  for (int i = 0; i < steps; ++i)
    if (const auto step = policy.plan()) {
      policy.measured(*step, 1e6 + 1e5 * double(step->rows()));
      policy.succeeded(*step);
    }
}

} // namespace

TEST_CASE("a sequence is expected to take longer where more is to be computed before it, and where more runs beside it", "[replicas]") {
  batch_policy idle(roomy), busy(roomy);
  CHECK(idle.expected_ns(generation(9, 10, 500)) == busy.expected_ns(generation(9, 10, 500)));
  busy.join(generation(1, 10));
  CHECK(idle.expected_ns(generation(9, 10, 500)) < busy.expected_ns(generation(9, 10, 500)));
  for (auto* policy : {&idle, &busy}) {
    policy->join(generation(2, 12, 100));
    run(*policy, 4);
    policy->leave(2);
  }
  const double beside_one = busy.expected_ns(generation(9, 10, 500));
  CHECK(idle.expected_ns(generation(9, 10, 500)) < beside_one);
  busy.join(generation(3, 200, 1000));
  CHECK(busy.expected_ns(generation(9, 10, 500)) > beside_one + 150 * 1e5 / 2); // 200 rows before it.
}

TEST_CASE("a sequence is expected to take less where its prefix is", "[replicas]") {
  batch_policy with(roomy), without(roomy);
  for (auto* policy : {&with, &without}) {
    policy->join(generation(1, 40, policy == &with ? 0 : 5000));
    run(*policy, 6);
  }
  CHECK(with.expected_ns(generation(9, 60)) < without.expected_ns(generation(9, 60)));
  CHECK(with.expected_ns(generation(9, 60, 9000)) == without.expected_ns(generation(9, 60, 9000)));
}

TEST_CASE("what waits may move to another replica, what runs does not", "[replicas]") {
  batch_policy policy(roomy);
  policy.join(generation(1, 3));
  run(policy, 1);
  CHECK_FALSE(policy.take_movable()); // It runs.
  auto grouped = generation(2, 4);
  grouped.group = 2;
  policy.join(grouped);
  CHECK_FALSE(policy.take_movable()); // It stays with its group.
  auto wanted = generation(3, 5, 40);
  wanted.priority = 2;
  wanted.tenant = "ann";
  wanted.tenant_weight = 3;
  policy.join(wanted);
  const auto moved = policy.take_movable();
  REQUIRE(moved);
  CHECK(moved->id == 3);
  CHECK(moved->tokens == wanted.tokens);
  CHECK(moved->logits_from == 4);
  CHECK(moved->priority == 2);
  CHECK(moved->tenant == "ann");
  CHECK(moved->tenant_weight == 3);
  CHECK(policy.sequences() == 2);
  CHECK_FALSE(policy.take_movable());
}

TEST_CASE("a sequence whose first step is under way does not move, though nothing of it is cached yet", "[replicas]") {
  batch_policy policy(roomy);
  policy.join(generation(1, 3));
  const auto first = policy.plan();
  REQUIRE(first);
  CHECK_FALSE(policy.take_movable(&*first));
  policy.join(generation(2, 4));
  const auto moved = policy.take_movable(&*first);
  REQUIRE(moved);
  CHECK(moved->id == 2);
}

TEST_CASE("both of two replicas get requests, and faults in one of them change nothing", "[replicas][simulation]") {
  int hits[2] = {}; // Of each replica.
  const auto chosen = seeds(50);
  for (const uint64_t seed : chosen) {
    INFO("TROUPE_SEED=" << seed);
    auto config = small_troupe();
    config.replicas = 2;
    auto plan = parse_fault_plan(R"({"faults": [
      {"name": "first", "selector": {"path": "/replica/0/layer/0"}, "effect": {"kill": {}}, "trigger": {"nth_message": 9}},
      {"name": "second", "selector": {"path": "/replica/1/layer/1/head/0"}, "effect": {"kill": {}}, "trigger": {"nth_message": 5}}]})");
    plan.set_seed(seed);
    simulated_troupe troupe(seed, config, std::make_shared<const v1::FaultPlan>(plan));
    submit_all(troupe);
    REQUIRE(troupe.run());
    check_outcomes(troupe.outcomes);
    const auto log = troupe.fault_log();
    for (const auto& injection : log.injections()) ++hits[injection.fault() == "second"];
    REQUIRE(troupe.close() == 0);
  }
  if (chosen.size() < 50) return;
  for (const int count : hits) CHECK(count > 25); // Few requests may happen to be done before the fault fires.
}

TEST_CASE("with random faults in two replicas nothing wrong comes out, and after them everything finishes", "[trial][replicas]") {
  const auto setup = make_tiny_setup(6, tiny_kind::decoder, 2);
  for (const uint64_t seed : seeds(400)) {
    INFO("TROUPE_SEED=" << seed);
    CHECK(run_trial(setup, seed).problem == "");
  }
}

} // namespace troupe
