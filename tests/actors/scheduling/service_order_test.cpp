// Goal: what decides who is served: expected times of steps, accounts of tenants, how much time is left for what comes second, and the
// claim of a sequence that waits for room.
#include "actors/interfaces/tenant_weight.hpp"
#include "actors/scheduling/batch_policy.hpp"
#include "support/catch.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace troupe {
namespace {

constexpr batch_limits roomy{.step_rows_max = 16, .prefill_chunk = 8, .logits_rows_max = 16, .cache_positions_max = 1000};

joining_sequence generation(uint64_t id, uint32_t size, std::string tenant = {}, int32_t priority = 0, double weight = 1) {
  std::vector<uint32_t> tokens(size);
  std::iota(tokens.begin(), tokens.end(), 0);
  return {.id = id, .tokens = std::move(tokens), .logits_from = size - 1, .priority = priority, .tenant = std::move(tenant),
          .tenant_weight = weight};
}

std::vector<uint64_t> served(const planned_step& step) {
  std::vector<uint64_t> ids;
  for (const auto& slice : step.slices) ids.push_back(slice.sequence);
  return ids;
}

/// A step, after which all its sequences have their next token. Durations: 2 ms, and 1 ms for each row.
planned_step run(batch_policy& policy, std::map<uint64_t, uint32_t>& sizes) {
  const auto step = policy.plan();
  REQUIRE(step);
  policy.measured(*step, 1e6 * (2 + double(step->rows())));
  policy.succeeded(*step);
  for (const auto& slice : step->slices)
    if (slice.position + slice.rows == sizes.at(slice.sequence)) policy.append(slice.sequence, sizes[slice.sequence]++, 1);
  return *step;
}

} // namespace

TEST_CASE("what a step takes is a line through what steps took, with other rows apart", "[service_order]") {
  step_times times;
  CHECK(times.of(5, 5) == 0);
  CHECK(times.of(10, 10) == 0);
  for (int i = 0; i < 50; ++i) times.add(uint64_t(1 + i % 9), 0, 3 + 0.5 * (1 + i % 9));
  CHECK(times.of(0, 0) == Approx(3).epsilon(0.05));
  CHECK(times.decode_row() == Approx(0.5).epsilon(0.05));
  CHECK(times.prefill_row() == times.decode_row()); // Nothing else is known.
  for (int i = 0; i < 50; ++i) times.add(uint64_t(i % 3), 100, 3 + 0.5 * (i % 3) + 0.1 * 100);
  CHECK(times.prefill_row() == Approx(0.1).epsilon(0.1));
  CHECK(times.of(20, 0) == Approx(13).epsilon(0.05));
  const double before = times.of(4, 0);
  times.add(4, 0, 1e9); // The clock has jumped.
  CHECK(times.of(4, 0) < 1.5 * before);
  for (int i = 0; i < 2000; ++i) times.add(uint64_t(1 + i % 9), 0, 30 + 5.0 * (1 + i % 9)); // The machine has become slow.
  CHECK(times.of(4, 0) == Approx(50).epsilon(0.05));
}

TEST_CASE("steps of one size do not tell what a row takes: half of the duration is taken to be the rows'", "[service_order]") {
  step_times times;
  for (int i = 0; i < 20; ++i) times.add(10, 0, 40);
  CHECK(times.decode_row() == Approx(2));
  CHECK(times.of(0, 0) == Approx(20));
  step_times prefill;
  prefill.add(0, 100, 50);
  CHECK(prefill.prefill_row() == Approx(0.5));
  CHECK(prefill.decode_row() == Approx(0.5));
  step_times at_once; // Steps that take no time at all.
  for (int i = 0; i < 20; ++i) at_once.add(1, uint64_t(i % 2), 0);
  CHECK(at_once.of(100, 100) == 0);
}

TEST_CASE("a tenant is lifted to its head start below the least served one when it comes, and finds its counter when it comes back", "[service_order]") {
  tenant_accounts tenants;
  auto& busy = tenants.enter("busy", 1);
  auto& lazy = tenants.enter("lazy", 1);
  busy.served = 1000;
  lazy.served = 900;
  CHECK(tenants.enter("new", 1).served == 900 - tenant_accounts::head_start);
  tenants.leave("new");
  CHECK(tenants.size() == 2); // It would be lifted anyway.
  tenants.leave("busy");
  CHECK(tenants.enter("busy", 1).served == 1000);
  tenants.leave("busy");
  lazy.served = 950;
  tenants.leave("lazy");
  CHECK(tenants.enter("alone", 1).served == 950 - tenant_accounts::head_start); // As the last one.
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double wrong : {0.0, -1.0, nan}) CHECK(tenants.enter("busy", wrong).weight == 1);
  CHECK(tenants.enter("busy", INFINITY).weight == tenant_weight_max);
  CHECK(tenants.enter("busy", 1e-30).weight == tenant_weight_min);
}

TEST_CASE("accounts of tenants that have gone do not pile up", "[service_order]") {
  tenant_accounts tenants;
  tenants.enter("stays", 1).served = 5;
  for (int i = 0; i < 10'000; ++i) {
    const auto name = std::to_string(i);
    tenants.enter(name, 1).served = 1e6; // Served more than all others, so that it is worth remembering.
    tenants.leave(name);
    REQUIRE(tenants.size() <= tenant_accounts::absent_max + 1);
  }
  CHECK(tenants.enter("stays", 1).served == 5);
}

TEST_CASE("what comes second gets its part of the time in the long run, and nothing is saved for later", "[service_order]") {
  time_allowance allowance(1.25);
  double first = 0, second = 0;
  for (int step = 0; step < 1000; ++step) {
    allowance.grow(8, 0);
    first += 8;
    for (; allowance.allows(); second += 3) allowance.spend(3);
    allowance.end_step(true);
  }
  CHECK(second == Approx(0.25 * first).epsilon(0.02));
  for (int step = 0; step < 100; ++step) allowance.grow(8, 0);
  CHECK(allowance.rows(1) == 2);
  CHECK(allowance.rows(100) == 1);
  CHECK(allowance.rows(0) > 1'000'000);
  CHECK(time_allowance(1).rows(1) > 1'000'000); // No limit.
  CHECK(time_allowance(0).allows());
}

TEST_CASE("what comes second is not left out of more than 64 steps in a row, however much it has overdrawn", "[service_order]") {
  time_allowance allowance(1.01);
  allowance.grow(10, 0);
  allowance.spend(1e12);
  allowance.end_step(true);
  for (int round = 0; round < 3; ++round) {
    uint32_t left_out = 0;
    for (allowance.grow(10, 1e12); !allowance.allows(); allowance.grow(10, 1e12)) {
      allowance.end_step(true);
      ++left_out;
    }
    CHECK(left_out == time_allowance::left_out_max);
    CHECK(allowance.is_due());
    CHECK(allowance.rows(2) == 5); // As long as the first rows.
    allowance.spend(1);
    CHECK_FALSE(allowance.allows()); // One slice.
    allowance.end_step(true);
  }
}

TEST_CASE("the tenant that was served least goes first, and one that is served too much gets what is left of the time", "[service_order]") {
  batch_policy policy(roomy);
  std::map<uint64_t, uint32_t> sizes;
  for (uint64_t id = 1; id <= 10; ++id) policy.join(generation(id, sizes[id] = 1, "many"));
  for (int i = 0; i < 20; ++i) CHECK(run(policy, sizes).slices.size() == 10); // Alone it has all.
  policy.join(generation(11, sizes[11] = 1, "few"));
  size_t rows = 0;
  for (int i = 0; i < 100; ++i) {
    const auto step = run(policy, sizes);
    CHECK(served(step).front() == 11);
    rows += step.slices.size() - 1;
  }
  CHECK(rows >= 60); // 0.3 * 3 ms / 1 ms = 0.9 in a step.
  CHECK(rows <= 110);
  policy.leave(11);
  CHECK(run(policy, sizes).slices.size() == 10);
}

TEST_CASE("tenants that are served alike do not limit each other", "[service_order]") {
  batch_policy policy(roomy);
  std::map<uint64_t, uint32_t> sizes;
  for (uint64_t id = 1; id <= 12; ++id) policy.join(generation(id, sizes[id] = 1, std::string(1, char('a' + id % 4))));
  for (int i = 0; i < 50; ++i) CHECK(run(policy, sizes).slices.size() == 12);
}

TEST_CASE("lower priorities are left out while a higher one runs, but for their part of the time", "[service_order]") {
  batch_policy policy(roomy);
  std::map<uint64_t, uint32_t> sizes;
  for (uint64_t id = 1; id <= 10; ++id) policy.join(generation(id, sizes[id] = 1));
  for (int i = 0; i < 20; ++i) run(policy, sizes);
  policy.join(generation(11, sizes[11] = 1, {}, 1));
  size_t rows = 0;
  for (int i = 0; i < 200; ++i) {
    const auto step = run(policy, sizes);
    CHECK(served(step).front() == 11);
    rows += step.slices.size() - 1;
  }
  CHECK(rows >= 40); // 0.1 * 3 ms / 1 ms = 0.3 in a step.
  CHECK(rows <= 70);
  policy.leave(11);
  CHECK(run(policy, sizes).slices.size() == 10);
}

TEST_CASE("a lower priority gets its turn although a higher one takes all rows", "[service_order]") {
  auto limits = roomy;
  limits.step_rows_max = 4;
  batch_policy policy(limits);
  std::map<uint64_t, uint32_t> sizes;
  for (uint64_t id = 1; id <= 8; ++id) policy.join(generation(id, sizes[id] = 1, {}, 1));
  policy.join(generation(9, sizes[9] = 1, {}, 0));
  uint32_t since = 0, turns = 0;
  for (int i = 0; i < 400; ++i) {
    const auto ids = served(run(policy, sizes));
    if (std::ranges::find(ids, 9) != ids.end()) {
      ++turns;
      since = 0;
    } else {
      REQUIRE(++since <= time_allowance::left_out_max);
    }
  }
  CHECK(turns >= 5);
}

TEST_CASE("a sequence that waits for room is not overtaken for more than 64 steps", "[service_order]") {
  auto limits = roomy;
  limits.cache_positions_max = 400;
  batch_policy policy(limits);
  std::map<uint64_t, uint32_t> sizes;
  policy.join(generation(1, sizes[1] = 4, "a", 0, 0.01)); // Its tenant is always the one that was served most.
  uint64_t id = 2;
  for (; id < 12; ++id) policy.join(generation(id, sizes[id] = 30, "b", 0, 10));
  const uint64_t large = 1000;
  run(policy, sizes);
  policy.join(generation(large, sizes[large] = 200, "a", 0, 0.01));
  uint32_t steps = 0;
  for (; steps < 500; ++steps) {
    // Whenever one of the others ends, the next comes.
    const auto step = run(policy, sizes);
    const auto ids = served(step);
    if (std::ranges::find(ids, large) != ids.end()) break;
    for (const uint64_t one : ids)
      if (one != 1 && sizes[one] > 38) {
        policy.leave(one);
        policy.join(generation(id, sizes[id] = 30, "b", 0, 10));
        ++id;
      }
  }
  CHECK(steps > batch_policy::claim_after / 2);
  CHECK(steps < 2 * batch_policy::claim_after);
}

TEST_CASE("the numbers of running and waiting sequences, of positions and preemptions are known", "[service_order]") {
  auto limits = roomy;
  limits.cache_positions_max = 20;
  limits.prefix_block = 2;
  batch_policy policy(limits);
  std::map<uint64_t, uint32_t> sizes;
  policy.join(generation(1, sizes[1] = 8));
  policy.join(generation(2, sizes[2] = 15, "other"));
  run(policy, sizes);
  CHECK(policy.running_sequences() == 1);
  CHECK(policy.sequences() == 2);
  CHECK(policy.cache_positions() == 9);
  policy.join(generation(3, sizes[3] = 15, {}, 1));
  run(policy, sizes);
  CHECK(policy.preemptions() == 1);
  CHECK(policy.running_sequences() == 1);
  run(policy, sizes);
  policy.leave(3);
  CHECK(policy.running_sequences() == 0);
  CHECK(policy.cache_positions() == 16); // Retained.
}

} // namespace troupe
