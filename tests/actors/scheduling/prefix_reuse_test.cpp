// Goal: a prompt that begins like the log of another sequence is computed once, what is reused is what would have been computed, and
// retained caches never hold back a sequence that runs.
#include "actors/scheduling/batch_policy.hpp"
#include "actors/scheduling/modelled_head.hpp"
#include "model/testing/tiny_model.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <numeric>

namespace troupe {
namespace {

using testing::modelled_head;
using ids = std::vector<uint64_t>;

constexpr batch_limits roomy{
  .step_rows_max = 64, .prefill_chunk = 32, .logits_rows_max = 16, .cache_positions_max = 1000, .prefix_block = 4};

std::vector<uint32_t> tokens(uint32_t count, uint32_t first = 0) {
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// `shared` tokens with which others begin, too, and then its own.
joining_sequence prompt(uint64_t id, uint32_t shared, uint32_t own) {
  auto all = tokens(shared);
  for (uint32_t i = 0; i < own; ++i) all.push_back(uint32_t(1000 * id) + i);
  const auto size = uint32_t(all.size());
  return {.id = id, .tokens = std::move(all), .logits_from = size - 1};
}

planned_step run(batch_policy& policy) {
  auto step = policy.plan();
  REQUIRE(step);
  policy.succeeded(*step);
  return *step;
}

void run_all(batch_policy& policy) {
  while (const auto step = policy.plan()) policy.succeeded(*step);
}

/// Of its first slice: sequence, position, rows, forked from.
std::vector<uint64_t> fields(const planned_step& step, size_t index = 0) {
  const auto& s = step.slices.at(index);
  return {s.sequence, s.position, s.rows, s.forked_from};
}

} // namespace

TEST_CASE("a prompt begins in the caches of a running sequence that begins alike, and of a finished one", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 10, 3));
  run_all(policy);
  policy.join(prompt(2, 10, 2));
  auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{2, 10, 2, 1});
  CHECK(step.reused == std::vector<prefix_reuse>{{2, 10, true}});
  CHECK(step.tokens == std::vector<uint32_t>{2000, 2001});
  policy.leave(1);
  policy.leave(2);
  CHECK_FALSE(policy.plan()); // Nothing is released.
  policy.join(prompt(3, 7, 5));
  step = run(policy);
  CHECK(step.slices.at(0).position == 7);
  CHECK(step.released.empty());
  CHECK(policy.rows_reused() == 17);
  CHECK(policy.rows_replayed() == 0);
}

TEST_CASE("at least one row is left to compute, and none is spared whose logits are wanted", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.join(prompt(2, 12, 0));
  CHECK(fields(run(policy)) == std::vector<uint64_t>{2, 11, 1, 1});
  auto scoring = prompt(3, 12, 0);
  scoring.logits_from = 5;
  policy.join(scoring);
  CHECK(fields(run(policy)) == std::vector<uint64_t>{3, 5, 7, 1});
  scoring = prompt(4, 12, 0);
  scoring.logits_from = 3; // Less than a block.
  policy.join(scoring);
  CHECK(fields(run(policy)) == std::vector<uint64_t>{4, 0, 12, 0});
}

TEST_CASE("nothing is reused of another tenant, and by no sequence that is more than a prompt", "[batch_policy]") {
  const auto begins_anew = [](auto change) {
    batch_policy policy(roomy);
    policy.join(prompt(1, 12, 0));
    run_all(policy);
    auto next = prompt(2, 12, 1);
    change(next);
    policy.join(next);
    return run(policy).slices.at(0).position == 0;
  };
  CHECK_FALSE(begins_anew([](auto&) {}));
  CHECK(begins_anew([](auto& s) { s.tenant = "other"; }));
  CHECK(begins_anew([](auto& s) { s.group = 5; }));
  CHECK(begins_anew([](auto& s) { s.source = {1}; }));
  CHECK(begins_anew([](auto& s) { s.segments = {1}; }));
  CHECK(begins_anew([](auto& s) { s.wants_hidden_states = true; }));
  CHECK(begins_anew([](auto& s) { s.tokens[3] = 77; })); // Within the first block.
  CHECK_FALSE(begins_anew([](auto& s) { s.tokens[4] = 77; }));
}

TEST_CASE("of prompts that come together one is computed, the others wait where that spares them half of their rows", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 20, 1));
  policy.join(prompt(2, 20, 1));
  policy.join(prompt(3, 5, 20)); // It would be spared 5 rows of 25.
  auto step = run(policy);
  REQUIRE(step.slices.size() == 2);
  CHECK(fields(step) == std::vector<uint64_t>{1, 0, 21, 0});
  CHECK(fields(step, 1) == std::vector<uint64_t>{3, 0, 25, 0});
  policy.append(1, 21, 5);
  policy.append(3, 25, 5);
  step = run(policy);
  REQUIRE(step.slices.size() == 3);
  CHECK(fields(step, 2) == std::vector<uint64_t>{2, 20, 1, 1});
}

TEST_CASE("a sequence that waits for a prefix goes on when the one that computes it fails or leaves", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 20, 1));
  policy.join(prompt(2, 20, 1));
  auto step = policy.plan();
  REQUIRE(step->slices.size() == 1);
  policy.failed(*step);
  step = policy.plan();
  CHECK(step->slices.size() == 2);
  policy.failed(*step);

  batch_policy other(roomy);
  other.join(prompt(1, 20, 1));
  other.join(prompt(2, 20, 1));
  REQUIRE(other.plan()->slices.size() == 1);
  other.leave(1);
  CHECK(fields(*other.plan()) == std::vector<uint64_t>{2, 0, 21, 0});
}

TEST_CASE("a higher priority does not wait for rows that a lower one computes", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 20, 1));
  auto urgent = prompt(2, 20, 1);
  urgent.priority = 1;
  policy.join(urgent);
  const auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{2, 0, 21, 0}); // It is the other one that waits.
  CHECK(step.slices.size() == 1);
}

TEST_CASE("a higher priority begins with what a lower one has computed so far", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 60, 1));
  run(policy);
  auto urgent = prompt(2, 60, 1);
  urgent.priority = 1;
  policy.join(urgent);
  CHECK(fields(run(policy)) == std::vector<uint64_t>{2, 32, 29, 1});
}

TEST_CASE("not more than prefix_waits_max sequences are passed over because they wait for a prefix", "[batch_policy]") {
  for (const uint64_t others : {batch_policy::prefix_waits_max - 1, batch_policy::prefix_waits_max}) {
    batch_policy policy(roomy);
    for (uint64_t id = 1; id <= others + 1; ++id) policy.join(prompt(id, 20, 1));
    policy.join(prompt(100, 0, 5));
    CHECK(run(policy).slices.size() == (others < batch_policy::prefix_waits_max ? 2 : 1));
  }
}

TEST_CASE("a fork that has not been carried out is neither forked again nor retained", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.join(prompt(2, 12, 1));
  REQUIRE(fields(*policy.plan()) == std::vector<uint64_t>{2, 12, 1, 1});
  policy.missed({{7, 0}}); // Another one's positions were missing.
  policy.join(prompt(3, 12, 1));
  auto step = policy.plan();
  REQUIRE(step->slices.size() == 2);
  CHECK(fields(*step) == std::vector<uint64_t>{2, 12, 1, 1});
  CHECK(fields(*step, 1) == std::vector<uint64_t>{3, 12, 1, 1});
  policy.missed({{7, 0}});
  policy.leave(2);
  step = policy.plan();
  CHECK(step->released == ids{2});
  CHECK(step->slices.size() == 1);

  auto again = prompt(3, 12, 1);
  again.cached = 5; // It knows nothing of the fork.
  policy.join(again);
  CHECK(fields(*policy.plan()) == std::vector<uint64_t>{3, 5, 8, 0});
}

TEST_CASE("a fork that has not been carried out leads to what it is to be forked from, even when that is to be released",
          "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 37;
  batch_policy policy(limits);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.leave(1);
  policy.join(prompt(2, 12, 1));
  policy.join(prompt(3, 12, 1));
  CHECK(policy.plan()->released == ids{1}); // 13 + 13 + 12.
  policy.missed({{7, 0}});
  policy.join(prompt(4, 10, 1));
  const auto step = policy.plan();
  REQUIRE(step->slices.size() == 3);
  CHECK(fields(*step, 2) == std::vector<uint64_t>{4, 10, 1, 1});
  CHECK(step->released == ids{1});
}

TEST_CASE("not more than retained_max sequences are retained, those that were used last", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 100'000;
  batch_policy policy(limits);
  for (uint64_t id = 1; id <= prefix_index::retained_max; ++id) {
    policy.join(prompt(id, 0, 5));
    run_all(policy);
    policy.leave(id);
    REQUIRE_FALSE(policy.plan());
  }
  policy.join(prompt(1000, 0, 5));
  run_all(policy);
  policy.leave(1000);
  CHECK(run(policy).released == ids{1});
}

TEST_CASE("retained caches are released before any sequence waits or is preempted, those used least recently first", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 40;
  batch_policy policy(limits);
  for (const uint64_t id : {1, 2, 3}) {
    auto one = prompt(id, 0, 12);
    policy.join(one);
    run_all(policy);
    policy.leave(id);
  }
  CHECK_FALSE(policy.plan()); // 36 positions.
  auto again = prompt(4, 0, 13);
  again.tokens = tokens(13, 1000); // Like the first one, which is now used.
  policy.join(again);
  auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{4, 12, 1, 1});
  CHECK(step.released == ids{2});
  policy.join(prompt(5, 0, 27));
  step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{5, 0, 27, 0}); // 13 + 27.
  CHECK(step.released == ids{1, 3});
  CHECK(policy.rows_replayed() == 0);
}

TEST_CASE("a sequence may begin in the caches that are released for it", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 14;
  batch_policy policy(limits);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.leave(1);
  policy.join(prompt(2, 12, 2));
  const auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{2, 12, 2, 1});
  CHECK(step.released == ids{1}); // Heads fork first.
}

TEST_CASE("what a head turns out not to hold is neither reused again nor retained", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.leave(1);
  policy.join(prompt(2, 12, 1));
  auto step = policy.plan();
  REQUIRE(fields(*step) == std::vector<uint64_t>{2, 12, 1, 1});
  policy.missed({{2, 0}});
  step = policy.plan();
  CHECK(fields(*step) == std::vector<uint64_t>{2, 0, 13, 0});
  CHECK(step->released == ids{1});
  CHECK(policy.rows_reused() == 0);
}

TEST_CASE("caches of a sequence whose values were not finite, or whose steps fail, are not reused", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.append(1, 12, 7);
  policy.plan();
  policy.poisoned({1}, "/a");
  policy.join(prompt(2, 12, 1));
  const auto step = run(policy); // Its own row, and then the other one.
  CHECK(fields(step, 1) == std::vector<uint64_t>{2, 0, 13, 0});
  policy.append(1, 13, 7);
  policy.plan();
  policy.poisoned({1}, "/a");
  policy.leave(1);
  CHECK(run(policy).released == ids{1});
}

TEST_CASE("a sequence that was preempted begins again in the caches of another one, which its client is not told", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 30;
  batch_policy policy(limits);
  policy.join(prompt(1, 12, 0));
  run_all(policy);
  policy.join(prompt(2, 12, 1));
  run_all(policy);
  policy.append(1, 12, 7);
  policy.append(2, 13, 7);
  auto urgent = prompt(3, 0, 16);
  urgent.priority = 1;
  policy.join(urgent);
  auto step = run(policy);
  CHECK(step.released == ids{2});
  policy.leave(3);
  step = run(policy);
  const auto& slice = step.slices.back();
  CHECK(slice == planned_slice{2, 12, 2, 1, 1});
  CHECK(step.reused == std::vector<prefix_reuse>{{2, 12, false}});
}

TEST_CASE("of equal hashes the tokens decide", "[batch_policy]") {
  // Blocks of one token, of two tenants: the hash of the prefix is made equal by hand.
  prefix_index index(1);
  cached_log held{.id = 1, .tenant = {}, .tokens = {5, 6}, .cached = 2, .blocks = {111, 222}, .indexed = 0};
  cached_log same{.id = 2, .tenant = {}, .tokens = {5, 7}, .cached = 0, .blocks = {111, 222}, .indexed = 0};
  cached_log of_other{.id = 3, .tenant = "other", .tokens = {5, 6}, .cached = 0, .blocks = {111, 222}, .indexed = 0};
  index.hold(held, 2);
  CHECK(index.find(same, 2).log == nullptr);
  CHECK(index.find(of_other, 2).log == nullptr);
  CHECK(index.find(same, 1).tokens == 1);
  index.hold(held, 0);
  CHECK(index.find(same, 1).log == nullptr);
}

namespace {

/// Random prompts that begin alike, on a head that knows whose keys it holds. Returns the rows that were reused; demands that all finish.
uint64_t random_prompts(uint64_t seed, bool with_faults) {
  testing::raw_bits bits{seed};
  const uint32_t context = 24 + uint32_t(bits.below(40));
  const batch_limits limits{.step_rows_max = 1 + uint32_t(bits.below(24)),
                            .prefill_chunk = 1 + uint32_t(bits.below(24)),
                            .logits_rows_max = 1 + uint32_t(bits.below(24)),
                            .cache_positions_max = context + bits.below(3 * context),
                            .prefix_block = 1 + uint32_t(bits.below(6))};
  batch_policy policy(limits);
  modelled_head head;
  struct one {
    std::vector<uint32_t> log;
    size_t target;
  };
  std::map<uint64_t, one> live;
  std::set<uint64_t> told;
  uint64_t arrived = 0, stuck = 0;
  while (arrived < 40 || !live.empty()) {
    REQUIRE(++stuck < 20'000);
    while (arrived < 40 && (live.empty() || bits.below(4) == 0)) {
      std::vector<uint32_t> log = tokens(1 + uint32_t(bits.below(context / 2)), 100 * uint32_t(bits.below(2)));
      for (auto own = bits.below(context / 4); own > 0; --own) log.push_back(uint32_t(bits.below(3)));
      const size_t target = std::min<size_t>(context, log.size() + bits.below(context / 4));
      const uint64_t id = ++arrived;
      const auto logits_from = bits.below(4) == 0 ? uint32_t(bits.below(log.size())) : uint32_t(log.size()) - 1;
      policy.join({.id = id, .tokens = log, .logits_from = logits_from, .priority = int32_t(bits.below(2)),
                   .tenant = bits.below(4) == 0 ? "other" : ""});
      live[id] = {std::move(log), target};
    }
    if (bits.below(30) == 0 && !live.empty()) {
      const auto which = std::next(live.begin(), int64_t(bits.below(live.size())))->first;
      policy.leave(which);
      live.erase(which);
    }
    if (with_faults && bits.below(100) == 0) head.held.clear();
    if (with_faults && policy.awaits_tokens())
      for (const uint64_t id : policy.ask_again()) live.erase(id);
    const auto step = policy.plan();
    if (!step) {
      REQUIRE(live.empty());
      continue;
    }
    for (const auto& reuse : step->reused) REQUIRE(reuse.positions >= limits.prefix_block);
    if (with_faults && bits.below(12) == 0) {
      for (const uint64_t id : policy.failed(*step, batch_policy::failure(bits.below(3)))) live.erase(id);
      continue;
    }
    if (with_faults && bits.below(30) == 0 && !step->slices.empty()) {
      for (const uint64_t id : policy.poisoned({step->slices[bits.below(step->slices.size())].sequence}, "/a")) live.erase(id);
      continue;
    }
    if (const auto misses = head.run(*step); !misses.empty()) {
      REQUIRE(with_faults);
      policy.missed(misses);
      continue;
    }
    if (!with_faults) REQUIRE(head.total() <= limits.cache_positions_max);
    policy.succeeded(*step);
    for (const auto& slice : step->slices) {
      const auto at = live.find(slice.sequence);
      if (at == live.end()) continue;
      auto& s = at->second;
      const uint32_t end = slice.position + slice.rows;
      // What it sees is its own log, whoever computed it.
      REQUIRE(std::equal(s.log.begin(), s.log.begin() + end, head.held.at(slice.sequence).begin()));
      if (end < s.log.size()) continue;
      if (s.log.size() < s.target) {
        s.log.push_back(uint32_t(bits.below(3)));
        policy.append(slice.sequence, end, s.log.back());
      } else {
        policy.leave(slice.sequence);
        live.erase(slice.sequence);
      }
    }
  }
  return policy.rows_reused();
}

} // namespace

TEST_CASE("what sequences reuse is what they would have computed, and all finish in a small memory budget", "[batch_policy]") {
  uint64_t reused = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    reused += random_prompts(seed, false);
  }
  CHECK(reused > 10'000);
}

TEST_CASE("what sequences reuse is what they would have computed although steps fail and heads are restarted", "[batch_policy]") {
  uint64_t reused = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    reused += random_prompts(seed, true);
  }
  CHECK(reused > 5'000);
}

} // namespace troupe
