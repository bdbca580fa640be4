// Goal: how long a request takes depends little on other tenants and hardly on lower priorities, prefill does not hold up those that
// decode, and where all have work nothing of it is lost. On a modelled machine, by its clock.
#include "actors/scheduling/batch_policy.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

namespace troupe {
namespace {

constexpr batch_limits roomy{.cache_positions_max = 1'000'000, .step_time_max_ns = 50e6};

/// What steps take, in ms: measured on two processors for 1, 2, 4, 16 and 50 rows, and straight lines between.
double step_ms(uint64_t rows) {
  static const std::map<double, double> measured{{0, 2.5}, {1, 3.6}, {2, 4.7}, {4, 5.5}, {16, 12}, {50, 33}, {512, 320}};
  const auto above = measured.lower_bound(double(rows)), below = std::prev(above);
  return below->second + (above->second - below->second) * (double(rows) - below->first) / (above->first - below->first);
}

/// Who sends `at_once` requests, and another one whenever one has ended, after a pause.
struct clients {
  std::string tenant;
  uint32_t at_once = 1;
  int32_t priority = 0;
  double pause_ms = 0; // At most; drawn evenly.
  uint32_t prompt = 16, generated = 48;
  double weight = 1;
};

struct figures {
  std::vector<double> latencies_ms, tokens_ms; // Of whole requests; between two tokens.
  uint64_t rows = 0;
  double longest_ms = 0; // Of the steps with rows of these.
};

double percentile(std::vector<double> all, double which) {
  REQUIRE_FALSE(all.empty());
  std::sort(all.begin(), all.end());
  return all[std::min(all.size() - 1, size_t(which * double(all.size())))];
}

/// Runs for so long. Figures by position in `all`.
std::vector<figures> run(const std::vector<clients>& all, double for_ms, batch_limits limits = roomy, uint64_t seed = 1) {
  struct request {
    size_t of;
    double began_ms, last_ms;
    uint32_t size, target;
  };
  batch_policy policy(limits);
  testing::raw_bits bits{seed};
  std::vector<figures> result(all.size());
  std::multimap<double, size_t> due; // When whose next request comes.
  std::map<uint64_t, request> live;
  for (size_t i = 0; i < all.size(); ++i)
    for (uint32_t n = 0; n < all[i].at_once; ++n) due.emplace(double(bits.below(1000)), i);
  double now = 0;
  uint64_t ids = 0;
  while (now < for_ms) {
    for (; !due.empty() && due.begin()->first <= now; due.erase(due.begin())) {
      const auto& [at, i] = *due.begin();
      const auto& who = all[i];
      const uint64_t id = ++ids;
      // Not all of one length, so that they do not stay in step.
      live[id] = {i, at, at, who.prompt, who.prompt + who.generated / 2 + uint32_t(bits.below(who.generated))};
      policy.join({.id = id, .tokens = std::vector<uint32_t>(who.prompt, uint32_t(id)), .logits_from = who.prompt - 1,
                   .priority = who.priority, .tenant = who.tenant, .tenant_weight = who.weight});
    }
    const auto step = policy.plan();
    if (!step) {
      REQUIRE_FALSE(due.empty());
      now = due.begin()->first;
      continue;
    }
    if (step->rows() > 0) {
      const double ms = step_ms(step->rows());
      now += ms;
      policy.measured(*step, 1e6 * ms);
    }
    policy.succeeded(*step);
    for (const auto& slice : step->slices) {
      auto& one = live.at(slice.sequence);
      auto& into = result[one.of];
      into.rows += slice.rows;
      into.longest_ms = std::max(into.longest_ms, step_ms(step->rows()));
      if (slice.position + slice.rows < one.size) continue;
      if (one.size > all[one.of].prompt) into.tokens_ms.push_back(now - one.last_ms);
      one.last_ms = now;
      if (++one.size < one.target) {
        policy.append(slice.sequence, one.size - 1, 0);
        continue;
      }
      into.latencies_ms.push_back(now - one.began_ms);
      due.emplace(now + all[one.of].pause_ms * double(bits.below(1000)) / 1000, one.of);
      policy.leave(slice.sequence);
      live.erase(slice.sequence);
    }
  }
  return result;
}

uint64_t all_rows(const std::vector<figures>& of) {
  return std::accumulate(of.begin(), of.end(), uint64_t(0), [](uint64_t sum, const auto& one) { return sum + one.rows; });
}

} // namespace

TEST_CASE("a tenant with 50 sequences makes the requests of another take at most 1.5 times as long", "[fairness]") {
  for (const uint32_t at_once : {1, 2, 4}) {
    const clients light{.tenant = "light", .at_once = at_once, .pause_ms = 300}, heavy{.tenant = "heavy", .at_once = 50};
    const auto alone = run({light}, 120'000), both = run({light, heavy}, 120'000);
    const auto one_tenant = run({light, {.tenant = "light", .at_once = 50}}, 120'000);
    const double ratio = percentile(both[0].latencies_ms, 0.99) / percentile(alone[0].latencies_ms, 0.99);
    const double without = percentile(one_tenant[0].latencies_ms, 0.99) / percentile(alone[0].latencies_ms, 0.99);
    INFO(at_once << " at once: " << ratio << ", as one tenant " << without);
    CHECK(ratio <= 1.5);
    CHECK(without > 2);
    CHECK(both[1].latencies_ms.size() > 20); // Nor does the heavy one stand still.
  }
}

TEST_CASE("where all tenants have work for their share, fairness costs little throughput", "[fairness]") {
  std::vector<clients> tenants, one;
  for (uint32_t i = 0; i < 4; ++i) {
    tenants.push_back({.tenant = std::string(1, char('a' + i)), .at_once = 8 + 16 * i});
    one.push_back({.tenant = "a", .at_once = 8 + 16 * i});
  }
  const auto fair = run(tenants, 120'000), unfair = run(one, 120'000);
  CHECK(double(all_rows(fair)) >= 0.92 * double(all_rows(unfair)));
}

TEST_CASE("tenants with work for their share are served in the ratio of their weights", "[fairness]") {
  auto limits = roomy;
  limits.step_rows_max = 40; // Short: else tenants also get what slowdown_by_tenants lets them have beyond their share.
  const auto both = run({{.tenant = "a", .at_once = 60, .weight = 3}, {.tenant = "b", .at_once = 40}}, 120'000, limits);
  CHECK(double(both[0].rows) / double(both[1].rows) == Approx(3).epsilon(0.03));
  const auto three = run({{.tenant = "a", .at_once = 50}, {.tenant = "b", .at_once = 30}, {.tenant = "c", .at_once = 40}}, 120'000);
  for (const auto& one : three) CHECK(double(one.rows) == Approx(double(all_rows(three)) / 3).epsilon(0.05));
}

TEST_CASE("requests of a higher priority take at most 1.3 times as long under ten times their load of a lower one", "[fairness]") {
  for (const uint32_t at_once : {1, 4}) {
    const clients urgent{.tenant = "", .at_once = at_once, .priority = 1, .pause_ms = 300}, rest{.tenant = "", .at_once = 10 * at_once};
    const auto alone = run({urgent}, 120'000), both = run({urgent, rest}, 120'000);
    const double ratio = percentile(both[0].latencies_ms, 0.99) / percentile(alone[0].latencies_ms, 0.99);
    CHECK(ratio <= 1.3);
    CHECK(both[1].latencies_ms.size() > 20);
  }
}

TEST_CASE("prompts that come while others decode do not make a step take longer than step_time_max", "[fairness]") {
  const clients chat{.tenant = "", .at_once = 8, .generated = 200}, documents{.tenant = "", .at_once = 2, .pause_ms = 2000, .prompt = 2000};
  auto limits = roomy;
  const auto bounded = run({chat, documents}, 60'000, limits);
  limits.step_time_max_ns = 0;
  const auto unbounded = run({chat, documents}, 60'000, limits);
  CHECK(percentile(bounded[0].tokens_ms, 0.999) <= 55); // What is expected is not quite what comes.
  CHECK(percentile(unbounded[0].tokens_ms, 0.99) > 200);
  CHECK(double(all_rows(bounded)) >= 0.97 * double(all_rows(unbounded)));
  CHECK(run({documents}, 10'000)[0].longest_ms == step_ms(512)); // Alone they take full chunks.
}

TEST_CASE("prefill may take as long as the decoding rows of its step, where these alone take most of step_time_max", "[fairness]") {
  const clients chat{.tenant = "", .at_once = 100, .generated = 200}, documents{.tenant = "", .at_once = 2, .prompt = 1000};
  const auto both = run({chat, documents}, 60'000);
  CHECK(percentile(both[0].tokens_ms, 0.99) <= 2.2 * step_ms(100));
  CHECK(both[1].latencies_ms.size() > 10);
}

TEST_CASE("no sequence stands still, whatever the tenants, weights and priorities of the others are", "[fairness]") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    testing::raw_bits bits{seed};
    auto limits = roomy;
    limits.step_rows_max = 4 + uint32_t(bits.below(60));
    limits.slowdown_by_tenants = 1.01 + 0.5 * double(bits.below(2));
    limits.slowdown_by_priorities = 1.01; // Nearly nothing is allowed.
    std::vector<clients> all;
    for (uint32_t i = 0; i < 6; ++i)
      all.push_back({.tenant = std::string(1, char('a' + bits.below(4))), .at_once = 1 + uint32_t(bits.below(12)),
                     .priority = int32_t(bits.below(3)), .generated = 8, .weight = i % 2 == 0 ? 1.0 : 10.0});
    uint64_t finished = 0;
    for (const auto& one : run(all, 300'000, limits, seed)) finished += !one.latencies_ms.empty();
    CHECK(finished == all.size());
  }
}

} // namespace troupe
