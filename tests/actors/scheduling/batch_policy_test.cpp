// Goal: which sequences run in the next step follows the rules of batch_policy.hpp, and whatever happens every sequence finishes.
#include "actors/scheduling/batch_policy.hpp"
#include "actors/scheduling/plain_batch_policy.hpp"
#include "support/catch.hpp"
#include "model/testing/tiny_model.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace troupe {

std::ostream& operator<<(std::ostream& out, const planned_slice& s) {
  return out << s.sequence << ": " << s.position << '+' << s.rows << '/' << s.logits_rows;
}

namespace {

using slices = std::vector<planned_slice>;
using ids = std::vector<uint64_t>;

constexpr batch_limits roomy{
  .step_rows_max = 16, .prefill_chunk = 8, .logits_rows_max = 16, .cache_positions_max = 1000};

std::vector<uint32_t> tokens(uint32_t count, uint32_t first = 0) {
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), first);
  return all;
}

/// A sequence as a generation joins: it wants the logits of its last token.
joining_sequence generation(uint64_t id, uint32_t size, int32_t priority = 0) {
  return {.id = id, .tokens = tokens(size), .logits_from = size - 1, .priority = priority};
}

planned_step next(batch_policy& policy) {
  auto step = policy.plan();
  REQUIRE(step);
  return *step;
}

planned_step run(batch_policy& policy) {
  auto step = next(policy);
  policy.succeeded(step);
  return step;
}

/// Joins and runs until all sequences owe their next token.
void prefill(batch_policy& policy, uint64_t id, uint32_t size) {
  policy.join(generation(id, size));
  while (const auto step = policy.plan()) policy.succeeded(*step);
}

} // namespace

TEST_CASE("a step mixes decode rows and prefill chunks, decode first, within the budget", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 3);
  policy.append(1, 3, 99);
  policy.join(generation(2, 20));
  policy.join(generation(3, 20));
  const auto step = next(policy);
  CHECK(step.slices == slices{{1, 3, 1, 1}, {2, 0, 8, 0}, {3, 0, 7, 0}});
  CHECK(step.has_prefill);
  std::vector<uint32_t> rows{99};
  for (uint32_t i = 0; i < 8; ++i) rows.push_back(i);
  for (uint32_t i = 0; i < 7; ++i) rows.push_back(i);
  CHECK(step.tokens == rows);
}

TEST_CASE("a sequence that needs one row goes before one that needs many, even if it was served later", "[batch_policy]") {
  auto limits = roomy;
  limits.step_rows_max = 8;
  batch_policy policy(limits);
  policy.join(generation(1, 50));
  policy.join(generation(2, 1));
  CHECK(run(policy).slices == slices{{2, 0, 1, 1}, {1, 0, 7, 0}});
  policy.append(2, 1, 0);
  CHECK(run(policy).slices == slices{{2, 1, 1, 1}, {1, 7, 7, 0}});
}

TEST_CASE("a prompt is cut into chunks; only its last row wants logits; then its token is awaited", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(generation(7, 18));
  CHECK(run(policy).slices == slices{{7, 0, 8, 0}});
  CHECK(run(policy).slices == slices{{7, 8, 8, 0}});
  CHECK_FALSE(policy.awaits_tokens());
  CHECK(run(policy).slices == slices{{7, 16, 2, 1}});
  CHECK(policy.awaits_tokens());
  CHECK_FALSE(policy.plan());
  policy.append(7, 17, 5); // Not the next index,
  policy.append(7, 19, 5);
  policy.append(8, 18, 5); // an unknown sequence,
  CHECK(policy.awaits_tokens());
  policy.append(7, 18, 5); // the next token,
  CHECK_FALSE(policy.awaits_tokens());
  policy.append(7, 18, 6); // and a repetition.
  const auto step = run(policy);
  CHECK(step.slices == slices{{7, 18, 1, 1}});
  CHECK(step.tokens == std::vector<uint32_t>{5});
  CHECK_FALSE(step.has_prefill);
}

TEST_CASE("logits are asked for from the first position that wants them, never more than logits_rows_max in a step",
          "[batch_policy]") {
  auto limits = roomy;
  limits.logits_rows_max = 3;
  batch_policy policy(limits);
  policy.join({.id = 1, .tokens = tokens(12), .logits_from = 5});
  CHECK(run(policy).slices == slices{{1, 0, 8, 3}});
  CHECK(run(policy).slices == slices{{1, 8, 3, 3}});
  CHECK(run(policy).slices == slices{{1, 11, 1, 1}});
  CHECK(policy.awaits_tokens());

  batch_policy two(limits); // The limit is the step's, not each sequence's.
  two.join({.id = 1, .tokens = tokens(2)});
  two.join({.id = 2, .tokens = tokens(2)});
  two.join({.id = 3, .tokens = tokens(2)});
  CHECK(next(two).slices == slices{{1, 0, 2, 2}, {2, 0, 1, 1}});
}

TEST_CASE("hidden states are observed in the steps with a sequence that wants them", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join({.id = 1, .tokens = tokens(4), .wants_hidden_states = true});
  CHECK(run(policy).observe_hidden_states);
  policy.leave(1);
  policy.join(generation(2, 4));
  CHECK_FALSE(run(policy).observe_hidden_states);
}

TEST_CASE("priority comes first, but a lower one is not left out for more than 64 steps", "[batch_policy]") {
  auto limits = roomy;
  limits.step_rows_max = 1;
  batch_policy policy(limits);
  policy.join(generation(1, 200, 2));
  policy.join(generation(2, 200, 0));
  uint32_t steps_until_served = 0;
  while (run(policy).slices[0].sequence == 1) {
    ++steps_until_served;
    REQUIRE(steps_until_served < 200);
    REQUIRE_FALSE(policy.awaits_tokens());
  }
  CHECK(steps_until_served == time_allowance::left_out_max);
}

TEST_CASE("of equals the one served longest ago comes first", "[batch_policy]") {
  auto limits = roomy;
  limits.step_rows_max = limits.prefill_chunk = 4;
  batch_policy policy(limits);
  for (const uint64_t id : {5, 3, 4}) policy.join(generation(id, 40));
  ids served;
  for (int i = 0; i < 6; ++i) served.push_back(run(policy).slices.at(0).sequence);
  CHECK(served == ids{5, 3, 4, 5, 3, 4});
}

TEST_CASE("the sequence that came last is preempted when memory is short, and replayed later", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 20;
  batch_policy policy(limits);
  prefill(policy, 1, 8);
  prefill(policy, 2, 8);
  for (uint32_t position = 8; position < 10; ++position) {
    policy.append(1, position, 0);
    policy.append(2, position, 0);
    CHECK(run(policy).slices.size() == 2);
  }
  policy.append(1, 10, 0);
  policy.append(2, 10, 0);
  const auto tight = run(policy);
  CHECK(tight.slices == slices{{1, 10, 1, 1}});
  CHECK(tight.released == ids{2});
  policy.leave(1);
  const auto replay = run(policy);
  CHECK(replay.slices == slices{{2, 0, 8, 0}});
  CHECK(replay.released == ids{1});
  CHECK(policy.rows_replayed() == 8);
  CHECK(run(policy).slices == slices{{2, 8, 3, 1}});
  CHECK(policy.rows_replayed() == 10); // The eleventh row is new.
}

TEST_CASE("a release is repeated until a step succeeded, and never concerns a sequence that runs", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 4);
  policy.leave(1);
  const auto first = next(policy);
  CHECK(first.slices.empty());
  CHECK(first.released == ids{1});
  policy.failed(first);
  policy.join(generation(2, 4));
  const auto second = next(policy);
  CHECK(second.released == ids{1});
  policy.missed({});
  CHECK(next(policy).released == ids{1});
  policy.join(generation(1, 4)); // Back again, with the same id.
  const auto third = run(policy);
  CHECK(third.released.empty());
  CHECK(third.slices.size() == 2);
  CHECK_FALSE(policy.plan());
}

TEST_CASE("a release that comes while a step is under way waits for the next", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 4);
  policy.join(generation(2, 4));
  const auto step = next(policy);
  policy.leave(1);
  policy.succeeded(step);
  CHECK(run(policy).released == ids{1});
  CHECK_FALSE(policy.plan());
}

TEST_CASE("missing positions are run again, and only those", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 6);
  prefill(policy, 2, 6);
  policy.append(1, 6, 0);
  policy.append(2, 6, 0);
  REQUIRE(next(policy).slices.size() == 2);
  policy.missed({{2, 4}, {9, 0}});
  CHECK(run(policy).slices == slices{{1, 6, 1, 1}, {2, 4, 3, 1}});
  CHECK(policy.rows_replayed() == 2);
}

TEST_CASE("a sequence that joins again continues from its token log, and no token is asked for twice", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join({.id = 4, .tokens = tokens(9), .cached = 8, .logits_from = 8}); // As it joins a new scheduler.
  CHECK(run(policy).slices == slices{{4, 8, 1, 1}});
  policy.join({.id = 4, .tokens = tokens(10), .cached = 50, .logits_from = 50}); // A wrong guess is cut to size.
  CHECK_FALSE(policy.awaits_tokens());
  CHECK(run(policy).slices == slices{{4, 9, 1, 1}});
  CHECK(policy.sequences() == 1);
}

TEST_CASE("a late join with an older token log is ignored", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(generation(1, 4));
  run(policy);
  policy.append(1, 4, 99);
  const auto under_way = next(policy); // The row of position 4.
  policy.join(generation(1, 4));       // Sent before that token was known.
  policy.succeeded(under_way);
  policy.append(1, 5, 99);
  CHECK(run(policy).slices == slices{{1, 5, 1, 1}});
}

TEST_CASE("the newest row of a sequence that does not answer in time runs once more", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 5);
  policy.ask_again();
  CHECK_FALSE(policy.awaits_tokens());
  CHECK(run(policy).slices == slices{{1, 4, 1, 1}});
  CHECK(policy.awaits_tokens());
}

TEST_CASE("after two failures in a row sequences run alone, and the one that keeps failing is given up", "[batch_policy]") {
  batch_policy policy(roomy);
  for (const uint64_t id : {1, 2, 3}) policy.join(generation(id, 4));
  const auto fails = [](const planned_step& step) {
    return std::any_of(step.slices.begin(), step.slices.end(), [](const auto& s) { return s.sequence == 2; });
  };
  ids given_up, healthy;
  int steps = 0;
  for (; given_up.empty() && steps < 50; ++steps) {
    const auto step = next(policy);
    if (steps >= 2) CHECK((step.slices.size() == 1 || !fails(step)));
    if (fails(step)) {
      given_up = policy.failed(step);
      continue;
    }
    policy.succeeded(step);
    for (const auto& slice : step.slices) {
      healthy.push_back(slice.sequence);
      policy.append(slice.sequence, slice.position + slice.rows, 0);
    }
  }
  CHECK(given_up == ids{2});
  CHECK(std::count(healthy.begin(), healthy.end(), 1u) > 0);
  CHECK(std::count(healthy.begin(), healthy.end(), 3u) > 0);
  CHECK(policy.sequences() == 2);
  CHECK(run(policy).released == ids{2});
}

TEST_CASE("a sequence whose later rows get no memory is given up, although the rows before them are replayed each time", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(generation(1, 200));
  const uint32_t from = 2 * roomy.prefill_chunk;
  REQUIRE(from < 200);
  ids given_up;
  uint32_t failures = 0, steps = 0;
  for (; given_up.empty() && steps < 100; ++steps) {
    const auto step = next(policy);
    REQUIRE(step.slices.size() == 1);
    const auto slice = step.slices.front();
    if (slice.position + slice.rows <= from) {
      policy.succeeded(step);
      continue;
    }
    ++failures;
    given_up = policy.failed(step, batch_policy::failure::out_of_memory);
    policy.missed({{1, 0}}); // The head has given its caches back.
  }
  CHECK(given_up == ids{1});
  CHECK(failures == batch_policy::failures_max);
}

TEST_CASE("a sequence is given up only for steps that it fails alone", "[batch_policy]") {
  batch_policy policy(roomy);
  for (const uint64_t id : {1, 2}) policy.join(generation(id, 4));
  const auto together = next(policy);
  REQUIRE(together.slices.size() == 2);
  for (uint32_t i = 0; i < 2 * batch_policy::failures_max; ++i) CHECK(policy.failed(together).empty());
}

TEST_CASE("a step that ends well clears the count of failures", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(generation(1, 4));
  for (uint32_t position = 4; position < 30; ++position) {
    for (uint32_t i = 0; i + 1 < batch_policy::failures_max; ++i) REQUIRE(policy.failed(next(policy)).empty());
    run(policy);
    policy.append(1, position, 0);
  }
  CHECK(policy.sequences() == 1);
}

TEST_CASE("a doubtful sequence that finds no room does not stop the others", "[batch_policy]") {
  auto limits = roomy;
  limits.step_rows_max = 8;
  limits.cache_positions_max = 15;
  batch_policy policy(limits);
  prefill(policy, 1, 7);
  policy.append(1, 7, 0);
  policy.join(generation(2, 7));
  for (int i = 0; i < 2; ++i) {
    const auto step = next(policy);
    REQUIRE(step.slices == slices{{1, 7, 1, 1}, {2, 0, 7, 1}});
    policy.failed(step);
  }
  REQUIRE(run(policy).slices == slices{{1, 7, 1, 1}});
  policy.append(1, 8, 0);
  CHECK(next(policy).slices == slices{{1, 8, 1, 1}});
}

TEST_CASE("doubtful sequences and the others take turns", "[batch_policy]") {
  batch_policy policy(roomy);
  for (const uint64_t id : {1, 2, 3}) policy.join(generation(id, 4));
  for (int i = 0; i < 2; ++i) REQUIRE(policy.failed(next(policy)).empty());
  ids served;
  for (uint32_t position = 4; policy.sequences() == 3; ++position) {
    const auto step = next(policy);
    REQUIRE(served.size() < 50);
    for (const auto& s : step.slices) served.push_back(s.sequence);
    if (served.back() == 2) {
      REQUIRE(step.slices.size() == 1);
      policy.failed(step);
      continue;
    }
    policy.succeeded(step);
    for (const auto& s : step.slices) policy.append(s.sequence, s.position + s.rows, 0);
  }
  CHECK(std::vector(served.begin(), served.begin() + 8) == ids{1, 1, 2, 1, 3, 1, 3, 2});
}

TEST_CASE("a sequence whose rows are not finite three times in a row is poisoned, the others are not", "[batch_policy]") {
  batch_policy policy(roomy);
  for (const uint64_t id : {1, 2}) policy.join(generation(id, 4));
  CHECK_FALSE(policy.is_known_poisoned({2}, "/a"));
  next(policy);
  CHECK(policy.poisoned({2}, "/a").empty());
  CHECK(policy.is_known_poisoned({2}, "/a"));
  CHECK_FALSE(policy.is_known_poisoned({1, 2}, "/a"));
  next(policy);
  CHECK(policy.poisoned({2}, "/a").empty());
  next(policy);
  CHECK(policy.poisoned({2}, "/a") == ids{2});
  const auto rest = run(policy);
  CHECK(rest.slices == slices{{1, 0, 4, 1}});
  CHECK(rest.released == ids{2});

  batch_policy elsewhere(roomy); // At changing actors the sequence is not blamed, up to a limit.
  elsewhere.join(generation(1, 4));
  for (uint32_t i = 0; i + 1 < batch_policy::failures_max; ++i) {
    const std::string path = i % 2 == 0 ? "/a" : "/b";
    CHECK_FALSE(elsewhere.is_known_poisoned({1}, path));
    next(elsewhere);
    CHECK(elsewhere.poisoned({1}, path).empty());
  }
  next(elsewhere);
  CHECK(elsewhere.poisoned({1}, "/c") == ids{1});

  batch_policy cured(roomy);
  cured.join(generation(1, 4));
  for (uint32_t position = 4; position < 10; ++position) {
    CHECK_FALSE(cured.is_known_poisoned({1}, "/a"));
    next(cured);
    CHECK(cured.poisoned({1}, "/a").empty());
    next(cured);
    CHECK(cured.poisoned({1}, "/a").empty());
    run(cured);
    cured.append(1, position, 0);
  }
}

TEST_CASE("non-finite values may be in the caches: after the second time the whole sequence runs again", "[batch_policy]") {
  batch_policy policy(roomy);
  prefill(policy, 1, 12); // Two chunks.
  policy.append(1, 12, 99);
  for (uint32_t time = 1; time <= batch_policy::poisonings_max; ++time) {
    if (time > 2) {
      CHECK(run(policy).slices == slices{{1, 0, 8, 0}});
      CHECK(next(policy).slices == slices{{1, 8, 5, 1}}); // It is not cured by what came before.
    } else {
      CHECK(next(policy).slices == slices{{1, 12, 1, 1}});
    }
    CHECK(policy.poisoned({1}, "/a") == (time == batch_policy::poisonings_max ? ids{1} : ids{}));
  }
}

namespace {

/// The caches that one attention head would hold, and which steps would be cache misses.
struct head_model {
  uint64_t positions_max;
  std::map<uint64_t, uint32_t> held;

  std::vector<std::pair<uint64_t, uint32_t>> run(const planned_step& step) {
    for (const uint64_t id : step.released) held.erase(id);
    std::vector<std::pair<uint64_t, uint32_t>> misses;
    for (const auto& s : step.slices)
      if (const uint32_t has = held.count(s.sequence) ? held[s.sequence] : 0; has < s.position)
        misses.emplace_back(s.sequence, has);
    if (!misses.empty()) return misses;
    for (const auto& s : step.slices)
      held[s.sequence] = s.position == 0 ? s.rows : std::max(held[s.sequence], s.position + s.rows);
    return {};
  }
  uint64_t total() const {
    uint64_t sum = 0;
    for (const auto& [id, positions] : held) sum += positions;
    return sum;
  }
};

struct sequence_model {
  uint32_t log, target; // How many tokens it has, and with how many it is finished.
};

void check_shape(const planned_step& step, const batch_limits& limits, const std::map<uint64_t, sequence_model>& known) {
  std::set<uint64_t> seen;
  uint64_t rows = 0, logits = 0, row = 0;
  for (const auto& s : step.slices) {
    REQUIRE(seen.insert(s.sequence).second);
    REQUIRE(known.count(s.sequence) == 1);
    REQUIRE(s.rows >= 1);
    REQUIRE(s.rows <= limits.prefill_chunk);
    REQUIRE(s.position + s.rows <= known.at(s.sequence).log);
    REQUIRE((s.position + s.rows < known.at(s.sequence).log || s.logits_rows >= 1)); // The newest row wants its logits.
    for (uint32_t i = 0; i < s.rows; ++i) REQUIRE(step.tokens.at(row++) == s.position + i);
    rows += s.rows;
    logits += s.logits_rows;
  }
  REQUIRE(rows == step.tokens.size());
  REQUIRE(rows <= limits.step_rows_max);
  REQUIRE(logits <= limits.logits_rows_max);
  for (const uint64_t id : step.released) REQUIRE(seen.count(id) == 0);
}

/// One random workload, in which every answer of the policy is compared with the plain one's. Returns the number of steps it took, 0
/// when it got stuck.
size_t random_workload(uint64_t seed, bool with_faults) {
  testing::raw_bits bits{seed};
  const uint32_t context = 16 + uint32_t(bits.below(48));
  const batch_limits limits{.step_rows_max = 1 + uint32_t(bits.below(24)),
                            .prefill_chunk = 1 + uint32_t(bits.below(24)),
                            .logits_rows_max = 1 + uint32_t(bits.below(24)),
                            .cache_positions_max = context + bits.below(context),
                            .slowdown_by_tenants = double(bits.below(3)),
                            .slowdown_by_priorities = 1 + 0.5 * double(bits.below(3)),
                            .step_time_max_ns = double(bits.below(3)) * 10e6};
  const auto tenants = 1 + bits.below(4);
  const double step_ns = 1e6 * double(bits.below(5)), row_ns = 1e6 * double(bits.below(3));
  testing::compared_policy policy(limits);
  head_model head{limits.cache_positions_max, {}};
  std::map<uint64_t, sequence_model> live;
  const bool many = seed % 4 == 0; // So many that most of them wait.
  const uint64_t in_all = many ? 60 : 12;
  uint64_t arrived = 0;
  for (size_t steps = 1; steps < 20000; ++steps) {
    while (arrived < in_all && (live.empty() || bits.below(many ? 2 : 6) == 0)) {
      const uint32_t size = 1 + uint32_t(bits.below(context)), more = uint32_t(bits.below(context - size + 1));
      const bool all_logits = bits.below(3) == 0;
      live[++arrived] = {size, size + more};
      policy.join({.id = arrived, .tokens = tokens(size), .cached = with_faults ? uint32_t(bits.below(size)) : 0,
                   .logits_from = all_logits ? 0 : size - 1, .priority = int32_t(bits.below(3)),
                   .tenant = std::string(bits.below(tenants), 't'), .tenant_weight = double(bits.below(3))});
    }
    if (bits.below(40) == 0 && !live.empty()) { // Cancelled, whether it waits or runs.
      const auto which = std::next(live.begin(), int64_t(bits.below(live.size())))->first;
      policy.leave(which);
      live.erase(which);
    }
    if (with_faults && bits.below(50) == 0) { // A new scheduler: all join again.
      policy = testing::compared_policy(limits);
      for (const auto& [id, s] : live)
        policy.join({.id = id, .tokens = tokens(s.log), .cached = uint32_t(bits.below(s.log)), .logits_from = s.log - 1});
    }
    if (with_faults && policy.awaits_tokens()) {
      for (const uint64_t id : policy.ask_again()) live.erase(id);
    }
    auto step = policy.plan();
    if (!step) {
      if (live.empty() && arrived == in_all) {
        if (!with_faults) REQUIRE(head.held.empty()); // Everything was released.
        return steps;
      }
      if (!live.empty()) return 0;
      continue;
    }
    check_shape(*step, limits, live);
    if (with_faults && bits.below(200) == 0) head.held.clear(); // The head was restarted.
    if (with_faults && bits.below(12) == 0) {
      const auto given_up = policy.failed(*step, batch_policy::failure(bits.below(3)));
      for (const uint64_t id : given_up) live.erase(id); // Allowed, if very unlikely.
      continue;
    }
    if (with_faults && bits.below(30) == 0 && !step->slices.empty()) {
      for (const uint64_t id : policy.poisoned({step->slices[bits.below(step->slices.size())].sequence}, "/a")) live.erase(id);
      continue;
    }
    if (const auto misses = head.run(*step); !misses.empty()) {
      REQUIRE(with_faults); // Without faults the policy knows what the heads hold.
      policy.missed(misses);
      continue;
    }
    if (!with_faults) REQUIRE(head.total() <= limits.cache_positions_max);
    policy.measured(*step, (bits.below(50) == 0 ? 100 : 1) * (step_ns + row_ns * double(step->rows())));
    policy.succeeded(*step);
    for (const auto& slice : step->slices) {
      auto& s = live.at(slice.sequence);
      if (slice.position + slice.rows < s.log) continue;
      if (with_faults && bits.below(60) == 0) continue; // It does not answer in time.
      if (s.log < s.target && bits.below(40) != 0) {
        policy.append(slice.sequence, s.log, s.log);
        ++s.log;
      } else {
        policy.leave(slice.sequence);
        live.erase(slice.sequence);
      }
    }
  }
  return 0;
}

} // namespace

TEST_CASE("every sequence finishes in a small memory budget, and the policy knows what the heads have cached", "[batch_policy]") {
  // Like all that use random_workload: every plan is the one that sorting and walking through all sequences gives.
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    REQUIRE(random_workload(seed, false) > 0);
  }
}

TEST_CASE("every sequence finishes although steps fail and heads and schedulers are restarted", "[batch_policy]") {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    REQUIRE(random_workload(seed, true) > 0);
  }
}

TEST_CASE("a waiting sequence for which there is no room is not overtaken by others that wait", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 20;
  batch_policy policy(limits);
  prefill(policy, 1, 8);
  policy.append(1, 8, 0);
  policy.join(generation(2, 15)); // Too long beside the first,
  policy.join(generation(3, 2));  // unlike this one.
  CHECK(run(policy).slices == slices{{1, 8, 1, 1}});
  policy.leave(1);
  CHECK(run(policy).slices == slices{{2, 0, 8, 0}, {3, 0, 2, 1}});
}

TEST_CASE("who was preempted does not begin again in the same step", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 12;
  batch_policy policy(limits);
  prefill(policy, 1, 4);
  prefill(policy, 2, 4);
  policy.append(2, 4, 0);
  policy.join(generation(3, 8, 5)); // For this one the last one is preempted; it would be next in this step.
  const auto step = run(policy);
  CHECK(step.slices == slices{{3, 0, 8, 1}});
  CHECK(step.released == ids{2});
}

TEST_CASE("a sequence whose steps are late is given up much later than one whose steps fail", "[batch_policy]") {
  batch_policy policy({.step_rows_max = 8, .prefill_chunk = 8, .logits_rows_max = 8, .cache_positions_max = 64});
  policy.join({.id = 1, .tokens = {7}});
  for (uint32_t i = 1; i < batch_policy::lates_max; ++i) REQUIRE(policy.failed(*policy.plan(), batch_policy::failure::late).empty());
  CHECK(policy.failed(*policy.plan(), batch_policy::failure::late) == std::vector<uint64_t>{1});
}

TEST_CASE("a sequence that was asked for its token asks_max times in vain is removed", "[batch_policy]") {
  batch_policy policy({.step_rows_max = 8, .prefill_chunk = 8, .logits_rows_max = 8, .cache_positions_max = 64});
  policy.join({.id = 1, .tokens = {7}});
  policy.join({.id = 2, .tokens = {7}});
  const auto run = [&] {
    policy.succeeded(*policy.plan());
    policy.append(2, 1, 5); // Sequence 1 does not answer.
  };
  for (uint32_t i = 0; i < batch_policy::asks_max; ++i) {
    run();
    CHECK(policy.awaits_tokens());
    REQUIRE(policy.ask_again().empty());
  }
  run();
  CHECK(policy.ask_again() == std::vector<uint64_t>{1});
  CHECK_FALSE(policy.awaits_tokens());
  CHECK(policy.sequences() == 1);
}

} // namespace troupe
