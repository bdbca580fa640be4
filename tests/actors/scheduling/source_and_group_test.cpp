// Goal: sources, whole sequences, groups and forks are planned by the rules of batch_policy.hpp.
#include "actors/scheduling/batch_policy.hpp"
#include "support/catch.hpp"

#include <numeric>

namespace troupe {
namespace {

using sources = std::vector<std::pair<uint64_t, uint32_t>>;

constexpr batch_limits roomy{.step_rows_max = 16, .prefill_chunk = 8, .logits_rows_max = 16, .cache_positions_max = 1000};

/// Of slice `index`: sequence, position, rows, logits rows, forked from.
std::vector<uint64_t> fields(const planned_step& step, size_t index = 0) {
  const auto& s = step.slices.at(index);
  return {s.sequence, s.position, s.rows, s.logits_rows, s.forked_from};
}

std::vector<uint32_t> tokens(uint32_t count) {
  std::vector<uint32_t> all(count);
  std::iota(all.begin(), all.end(), 0);
  return all;
}

joining_sequence translation(uint64_t id, uint32_t source, uint64_t group = 0) {
  return {.id = id, .tokens = tokens(1), .source = tokens(source), .group = group};
}

planned_step run(batch_policy& policy) {
  auto step = policy.plan();
  REQUIRE(step);
  policy.succeeded(*step);
  return *step;
}

} // namespace

TEST_CASE("a source goes along with a sequence's first rows, once", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(translation(1, 5));
  const auto step = run(policy);
  CHECK(step.sources == sources{{1, 5}});
  CHECK(step.source_tokens == tokens(5));
  policy.append(1, 1, 7);
  CHECK(run(policy).sources.empty());
}

TEST_CASE("a source counts as rows of the step, but a step has room for one, however long it is", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(translation(1, 40));
  policy.join(translation(2, 10));
  policy.join(translation(3, 4));
  CHECK(run(policy).sources == sources{{1, 40}});
  CHECK(run(policy).sources == sources{{2, 10}, {3, 4}}); // 11 and 5 rows.
}

TEST_CASE("a source that heads lack comes again; positions that they lack do not bring it", "[batch_policy]") {
  batch_policy policy(roomy);
  policy.join(translation(1, 5));
  run(policy);
  policy.append(1, 1, 7);
  policy.missed({{1, 0}});
  auto step = *policy.plan();
  CHECK(step.sources.empty());
  CHECK(fields(step) == std::vector<uint64_t>{1, 0, 2, 1, 0});
  policy.missed_sources({1});
  step = *policy.plan();
  CHECK(step.sources == sources{{1, 5}});
}

TEST_CASE("a sequence that was preempted brings its source again", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 12;
  batch_policy policy(limits);
  policy.join(translation(1, 5));
  run(policy);
  auto urgent = translation(2, 8);
  urgent.priority = 1;
  policy.append(1, 1, 7);
  policy.join(urgent);
  const auto step = run(policy);
  CHECK(step.sources == sources{{2, 8}});
  CHECK(step.released == std::vector<uint64_t>{1});
  policy.leave(2);
  CHECK(run(policy).sources == sources{{1, 5}});
}

TEST_CASE("whole sequences are never cut, whatever the limits", "[batch_policy]") {
  auto limits = roomy;
  limits.whole_sequences = true;
  batch_policy policy(limits);
  policy.join({.id = 1, .tokens = tokens(30), .segments = std::vector<uint32_t>(30, 1), .logits_from = 0});
  policy.join({.id = 2, .tokens = tokens(9), .logits_from = 0});
  policy.join({.id = 3, .tokens = tokens(6), .segments = std::vector<uint32_t>(6, 1), .logits_from = 5});
  auto step = run(policy);
  CHECK(step.slices.size() == 1);
  CHECK(fields(step) == std::vector<uint64_t>{1, 0, 30, 30, 0});
  step = run(policy);
  REQUIRE(step.slices.size() == 2);
  CHECK(fields(step, 1) == std::vector<uint64_t>{3, 0, 6, 1, 0});
  std::vector<uint32_t> segments(9, 0);
  segments.insert(segments.end(), 6, 1);
  CHECK(step.segments == segments);
}

TEST_CASE("a whole sequence that is asked for again is computed as a whole again, and leaves nothing to release", "[batch_policy]") {
  auto limits = roomy;
  limits.whole_sequences = true;
  batch_policy policy(limits);
  policy.join({.id = 1, .tokens = tokens(30), .cached = 7, .logits_from = 0});
  run(policy);
  policy.ask_again();
  CHECK(fields(run(policy)) == std::vector<uint64_t>{1, 0, 30, 30, 0});
  policy.leave(1);
  CHECK_FALSE(policy.plan());
}

TEST_CASE("an image's pixels come with its rows in every step that computes them", "[batch_policy]") {
  auto limits = roomy;
  limits.whole_sequences = true;
  limits.prefix_block = 2;
  batch_policy policy(limits);
  const std::vector<uint32_t> rows(5); // All the same token: nothing tells images apart but their pixels.
  policy.join({.id = 1, .tokens = rows, .features = {1, 2, 3}, .logits_from = 4});
  policy.join({.id = 2, .tokens = rows, .features = {4, 5, 6}, .logits_from = 4});
  auto step = *policy.plan();
  REQUIRE(step.slices.size() == 2);
  CHECK(step.features == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(step.reused.empty());
  policy.failed(step);
  CHECK(policy.plan()->features.size() == 6); // Once more, however the two come.
  policy.leave(1);
  step = *policy.plan();
  CHECK(step.features == std::vector<float>{4, 5, 6});
  policy.succeeded(step);
  policy.leave(2);
  policy.join({.id = 3, .tokens = rows, .features = {7, 8, 9}, .logits_from = 4}); // Nothing of the one before is reused.
  step = *policy.plan();
  CHECK(fields(step) == std::vector<uint64_t>{3, 0, 5, 1, 0});
  CHECK(step.features == std::vector<float>{7, 8, 9});
}

TEST_CASE("a sound's features come with its source, whenever that passes the encoder, and never else", "[batch_policy]") {
  batch_policy policy(roomy);
  const std::vector<uint32_t> rows(3); // All sounds have the same source of tokens.
  const auto sound = [&](uint64_t id, std::vector<float> features) {
    return joining_sequence{.id = id, .tokens = tokens(1), .source = rows, .features = std::move(features)};
  };
  policy.join(sound(1, {1, 2}));
  policy.join(sound(2, {3, 4}));
  const auto step = run(policy);
  CHECK(step.sources == sources{{1, 3}, {2, 3}});
  CHECK(step.features == std::vector<float>{1, 2, 3, 4});
  policy.append(1, 1, 7);
  policy.append(2, 1, 7);
  const auto next = run(policy);
  CHECK(next.slices.size() == 2);
  CHECK(next.features.empty());
  policy.append(1, 2, 7);
  policy.append(2, 2, 7);
  const auto failing = *policy.plan();
  policy.missed_sources({2});
  const auto again = run(policy);
  CHECK(again.sources == sources{{2, 3}});
  CHECK(again.features == std::vector<float>{3, 4});
}

TEST_CASE("members of a group owe their tokens when all have their logits, until none does", "[batch_policy]") {
  auto limits = roomy;
  limits.logits_rows_max = 1; // So that they get them one after the other.
  batch_policy policy(limits);
  policy.join(translation(10, 2, 9));
  run(policy);
  CHECK(policy.awaits_tokens());
  policy.join({.id = 11, .tokens = tokens(2), .source = tokens(2), .cached = 1, .logits_from = 1, .group = 9, .forked_from = 10});
  CHECK(policy.awaits_tokens()); // 10 still does.
  policy.append(10, 1, 5);
  CHECK_FALSE(policy.awaits_tokens());
  run(policy);
  CHECK_FALSE(policy.awaits_tokens());
  run(policy);
  CHECK(policy.awaits_tokens());
  policy.leave(11);
  CHECK(policy.awaits_tokens());
  policy.leave(10);
  CHECK_FALSE(policy.awaits_tokens());
}

TEST_CASE("a fork names the sequence that it continues once, and that one is not released before", "[batch_policy]") {
  auto limits = roomy;
  limits.step_rows_max = 1;
  batch_policy policy(limits);
  policy.join({.id = 10, .tokens = tokens(1), .group = 9});
  run(policy);
  policy.join({.id = 11, .tokens = tokens(2), .cached = 1, .logits_from = 1, .group = 9, .forked_from = 10});
  policy.join({.id = 12, .tokens = tokens(2), .cached = 1, .logits_from = 1, .group = 9, .forked_from = 10});
  policy.leave(10);
  auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{11, 1, 1, 1, 10});
  CHECK(step.released.empty());
  step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{12, 1, 1, 1, 10});
  CHECK(step.released == std::vector<uint64_t>{10}); // Heads fork first.
  policy.append(11, 2, 5);
  policy.append(12, 2, 5);
  CHECK(fields(run(policy)) == std::vector<uint64_t>{11, 2, 1, 1, 0});
}

TEST_CASE("members of a group find room although those that wait for them hold it", "[batch_policy]") {
  auto limits = roomy;
  limits.cache_positions_max = 4; // Room for one of three tokens.
  batch_policy policy(limits);
  policy.join({.id = 10, .tokens = tokens(3), .logits_from = 2, .group = 9});
  policy.join({.id = 11, .tokens = tokens(3), .logits_from = 2, .group = 9});
  run(policy);
  CHECK_FALSE(policy.awaits_tokens());
  const auto step = run(policy);
  CHECK(fields(step) == std::vector<uint64_t>{11, 0, 3, 1, 0});
  CHECK(step.released == std::vector<uint64_t>{10});
  CHECK(policy.awaits_tokens());
}

} // namespace troupe
