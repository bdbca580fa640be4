#include "model/sampling/sampler.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include "model/sampling/philox.hpp"
#include "support/catch.hpp"
#include "model/tokenizer/tokenizer_fixtures.hpp"
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>

using namespace troupe;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
using row = std::vector<float>;

/// Options under which every token may come, in proportion to its probability.
sampling_options plain() {
  sampling_options options;
  options.temperature = 1;
  options.top_k = 0;
  options.top_p = 1;
  options.min_p = 0;
  return options;
}

row random_row(rng& random, size_t size, bool with_ties) {
  row logits(size);
  for (auto& logit : logits)
    logit =
        with_ties ? static_cast<float>(random.below(7)) - 3 : static_cast<float>(12 * random.uniform() - 6);
  return logits;
}

/// The filters as their definitions read, with a full sort: what is left, with probabilities of the left.
std::map<uint32_t, double> kept_by_definition(const sampling_options& options, const row& logits) {
  std::vector<uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0 && options.top_k < order.size())
    order.resize(options.top_k);
  std::vector<double> weights;
  double total = 0;
  for (const uint32_t id : order) {
    weights.push_back(std::exp((double(logits[id]) - logits[order[0]]) / options.temperature));
    total += weights.back();
  }
  size_t kept = 0;
  for (double sum = 0; kept < order.size() && (options.top_p == 1.0f || sum < double(options.top_p) * total);)
    sum += weights[kept++];
  while (kept > 1 && weights[kept - 1] < double(options.min_p))
    --kept;
  std::map<uint32_t, double> result;
  total = std::accumulate(weights.begin(), weights.begin() + static_cast<ptrdiff_t>(kept), 0.0);
  for (size_t i = 0; i < kept; ++i)
    result[order[i]] = weights[i] / total;
  return result;
}

std::map<uint32_t, double> frequencies(const sampling_options& options, const row& logits, size_t draws) {
  std::map<uint32_t, double> seen;
  for (size_t position = 0; position < draws; ++position)
    seen[sample(options, logits, {}, position)] += 1.0 / static_cast<double>(draws);
  return seen;
}

} // namespace

// Random123, tests/kat_vectors, the lines "philox4x32 10".
TEST_CASE("Philox gives the published answers") {
  using four = std::array<uint32_t, 4>;
  constexpr uint32_t ones = 0xFFFFFFFF;
  CHECK(philox4x32_10({0, 0, 0, 0}, {0, 0}) == four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(philox4x32_10({ones, ones, ones, ones}, {ones, ones})
        == four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox4x32_10({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0})
        == four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("the uniform number is the generator's first 53 bits, by seed and position alone") {
  CHECK(counter_uniform(0, 0) == static_cast<double>(0xe169c58d6627e8d5u >> 11) / 9007199254740992.0);
  std::set<double> different;
  double sum = 0;
  for (uint64_t i = 0; i < 4000; ++i) {
    const double u = counter_uniform(i / 64, (i % 64) << (i % 3 * 20));
    REQUIRE((u >= 0 && u < 1));
    sum += u;
    different.insert(u);
  }
  CHECK(different.size() > 3950); // Some positions occur twice above.
  CHECK(sum / 4000 == Approx(0.5).margin(0.02));
  CHECK(counter_uniform(1, 2) != counter_uniform(2, 1));
  CHECK(counter_uniform(uint64_t(1) << 32, 0) != counter_uniform(0, 0));
  CHECK(counter_uniform(0, uint64_t(1) << 32) != counter_uniform(0, 0));
}

TEST_CASE("greedy takes the largest logit, the lowest id on a tie, whatever the seed and the filters") {
  sampling_options options;
  options.temperature = 0;
  for (options.seed = 0; options.seed < 20; ++options.seed)
    CHECK(sample(options, row{1, 3, 2, 3, -1}, {}, options.seed) == 1);
  options.logit_bias = {{1, -infinity}};
  CHECK(sample(options, row{1, 3, 2, 3, -1}, {}, 0) == 3);
}

TEST_CASE("greedy takes the lowest id of a tie in a large vocabulary, wherever the two are") {
  sampling_options options;
  options.temperature = 0;
  for (const size_t first : {0u, 1u, 511u, 512u, 700u, 1023u, 1024u, 1300u})
    for (const size_t second : {0u, 510u, 512u, 513u, 1025u, 1331u}) {
      std::vector<float> logits(1332, -3.5f);
      logits[first] = logits[second] = -0.25f;
      CHECK(sample(options, logits, {}, 0) == std::min(first, second));
    }
}

TEST_CASE("what the filters keep and how often it is drawn follows their definitions") {
  const std::vector<std::tuple<float, uint32_t, float, float>> settings{
      {1.0f, 0, 1.0f, 0.0f}, {0.7f, 5, 1.0f, 0.0f},   {1.3f, 0, 0.8f, 0.0f},
      {1.0f, 0, 1.0f, 0.1f}, {0.8f, 8, 0.9f, 0.05f},  {2.0f, 3, 0.5f, 0.3f},
      {1.0f, 1, 1.0f, 0.0f}, {1.0f, 0, 0.001f, 0.0f}, {1.0f, 0, 1.0f, 1.0f}};
  for (uint64_t seed = 1; seed <= 4; ++seed)
    for (const auto& [temperature, top_k, top_p, min_p] : settings) {
      INFO("seed " << seed << " temperature " << temperature << " top_k " << top_k << " top_p " << top_p
                   << " min_p " << min_p);
      rng random(seed);
      const auto logits = random_row(random, 20, seed % 2 == 0);
      auto options = plain();
      options.temperature = temperature, options.top_k = top_k, options.top_p = top_p, options.min_p = min_p;
      options.seed = seed;
      const auto expected = kept_by_definition(options, logits);
      const auto seen = frequencies(options, logits, 4000);
      for (const auto& [id, share] : seen)
        CHECK(expected.count(id) == 1);
      for (const auto& [id, share] : expected)
        CHECK((seen.count(id) ? seen.at(id) : 0.0) == Approx(share).margin(0.035));
    }
}

TEST_CASE("a large vocabulary keeps exactly what a full sort keeps") {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    INFO("seed " << seed);
    rng random(seed);
    const auto logits = random_row(random, 30000, seed % 2 == 0); // Ties reach across every cut.
    auto options = plain();
    const uint32_t top_ks[] = {0, 40, 1024, 1025, 29999};
    const float top_ps[] = {1.0f, 0.3f, 0.9f, 0.999f};
    options.top_k = top_ks[random.below(5)];
    options.top_p = top_ps[random.below(4)];
    const auto expected = kept_by_definition(options, logits);
    for (options.seed = 0; options.seed < 100; ++options.seed)
      REQUIRE(expected.count(sample(options, logits, {}, options.seed)) == 1);
  }
}

TEST_CASE("a draw depends on the seed and the position and nothing else") {
  rng random(3);
  const auto logits = random_row(random, 1000, false);
  const std::vector<uint32_t> log{1, 2, 3};
  std::set<uint32_t> by_position, by_seed;
  sampling_options options = plain();
  for (uint64_t i = 0; i < 50; ++i) {
    options.seed = 9;
    const auto first = sample(options, logits, log, i);
    CHECK(sample(options, logits, log, i) == first);
    CHECK(sample(options, logits, {}, i) == first); // No penalties: the log does not matter.
    by_position.insert(first);
    options.seed = i;
    by_seed.insert(sample(options, logits, log, 7));
  }
  CHECK(by_position.size() > 30);
  CHECK(by_seed.size() > 30);
}

// Recorded, so that a change of the generator, of the order of candidates or of rounding does not go unseen:
// the same request must give the same text on every machine.
TEST_CASE("draws are the recorded ones") {
  rng random(11);
  const auto logits = random_row(random, 500, false);
  std::vector<uint32_t> defaults, everything;
  for (uint64_t position = 0; position < 6; ++position) {
    sampling_options options;
    options.seed = 42;
    defaults.push_back(sample(options, logits, {}, position));
    options = plain();
    options.seed = 42;
    everything.push_back(sample(options, logits, {}, position));
  }
  CHECK(defaults == std::vector<uint32_t>{40, 92, 350, 350, 183, 286});
  CHECK(everything == std::vector<uint32_t>{221, 155, 306, 322, 422, 139});
}

TEST_CASE("the exponential is as exact as the C library's") {
  rng random(5);
  double worst = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = -random.uniform() * (i % 3 == 0 ? 1 : i % 3 == 1 ? 40 : 699);
    worst = std::max(worst, std::fabs(exponential(x) / std::exp(x) - 1));
  }
  INFO("largest relative error " << worst);
  CHECK(worst < 4e-16 + 1.2e-16); // Ours and the library's own.
  CHECK(exponential(0) == 1);
  CHECK(exponential(-701) == 0);
  CHECK(exponential(-1e300) == 0);
}

TEST_CASE("penalties look at the window, count, and know the sign of a logit") {
  sampling_options options;
  options.temperature = 0;
  const std::vector<uint32_t> log{0, 0, 0, 1, 2};
  CHECK(sample(options, row{5, 4.9f, 4.8f, 4.7f}, log, 5) == 0);

  SECTION("repetition divides what is positive and multiplies what is negative") {
    options.repetition_penalty = 2;
    CHECK(sample(options, row{5, 4, 4, 2.6f}, log, 5) == 3);
    CHECK(sample(options, row{5, 4, 4, 2.4f}, log, 5) == 0);
    CHECK(sample(options, row{-1, -1.6f, -1.4f, -1.9f}, log, 5) == 3);
    CHECK(sample(options, row{-0.9f, -1.6f, -1.4f, -1.9f}, log, 5) == 0);
  }
  SECTION("presence counts once") {
    options.presence_penalty = 1;
    CHECK(sample(options, row{5, 5, 5, 4.1f}, log, 5) == 3);
    CHECK(sample(options, row{5, 5, 5, 3.9f}, log, 5) == 0);
  }
  SECTION("frequency counts every time") {
    options.frequency_penalty = 1;
    CHECK(sample(options, row{5, 3.1f, 2.9f, -9}, log, 5) == 1);
    CHECK(sample(options, row{5, 2.9f, 3.1f, -9}, log, 5) == 2);
    CHECK(sample(options, row{5, 2.7f, 2.8f, -9}, log, 5) == 0);
  }
  SECTION("the window is the last tokens, 0 all") {
    options.presence_penalty = 1;
    options.penalty_window = 2;
    CHECK(sample(options, row{5, 5.5f, 5.5f, 4.1f}, log, 5) == 0);
    options.penalty_window = 3;
    CHECK(sample(options, row{5, 6.5f, 5, -9}, log, 5) == 1);
    options.penalty_window = 0;
    CHECK(sample(options, row{5, 5.5f, 5, 4.6f}, log, 5) == 3);
  }
  SECTION("the bias comes first") {
    options.repetition_penalty = 2;
    options.logit_bias = {{0, 4.0f}};
    CHECK(sample(options, row{-1, -9, -9, 1.6f}, log, 5) == 3); // (-1 + 4) / 2
    CHECK(sample(options, row{-1, -9, -9, 1.4f}, log, 5) == 0);
  }
}

TEST_CASE("a forbidden token is never drawn") {
  auto options = plain();
  options.logit_bias = {{0, -infinity}, {2, -infinity}};
  for (uint64_t position = 0; position < 500; ++position)
    for (const uint32_t top_k : {0u, 4u}) {
      options.top_k = top_k;
      const auto token = sample(options, row{9, 1, 9, 1}, {}, position);
      REQUIRE((token == 1 || token == 3));
    }
}

TEST_CASE("extreme but valid options and logits still give a token") {
  auto options = plain();
  for (const float temperature : {1e-45f, 1e-6f, 1e6f}) {
    options.temperature = temperature;
    CHECK(sample(options, row{-3e38f, 3e38f, 0, 1}, {}, 0) < 4);
  }
  options.temperature = 1e-45f;
  CHECK(sample(options, row{1, 1.0000001f, 0}, {}, 0) == 1);
  options.repetition_penalty = 0.01f;
  options.presence_penalty = -100;
  const std::vector<uint32_t> log{0, 1};
  CHECK(sample(options, row{3e38f, -3e38f, 0}, log, 0) == 0);
  CHECK(sample(plain(), row{5}, {}, 0) == 0);
}

TEST_CASE("tokens whose logits are -infinity are never chosen") {
  auto options = plain();
  for (const float temperature : {0.0f, 1.0f, 1e6f})
    for (const uint32_t top_k : {0u, 2u}) {
      options.temperature = temperature;
      options.top_k = top_k;
      for (uint64_t position = 0; position < 100; ++position)
        CHECK(sample(options, row{-infinity, -3, -infinity, -infinity}, {}, position) == 1);
    }
  options.repetition_penalty = 2;
  options.logit_bias = {{0, 100.0f}};
  const std::vector<uint32_t> log{0, 1};
  CHECK(sample(options, row{-infinity, -3, -infinity}, log, 0) == 1);
}

TEST_CASE("logits that are neither finite nor -infinity are a broken invariant") {
  CHECK_THROWS_AS(sample(plain(), row{1, std::nanf(""), 0}, {}, 0), broken_invariant);
  CHECK_THROWS_AS(sample(plain(), row{1, infinity, 0}, {}, 0), broken_invariant);
  CHECK_THROWS_AS(sample(plain(), row{}, {}, 0), broken_invariant);
}

TEST_CASE("options out of range are refused in words") {
  const auto reason = [](const std::function<void(sampling_options&)>& change) {
    sampling_options options;
    change(options);
    return invalid(options, 100);
  };
  const float nan = std::nanf("");
  CHECK(reason([](auto&) {}).empty());
  CHECK(reason([](auto& o) { o.temperature = 0, o.top_k = 0, o.top_p = 1, o.min_p = 0; }).empty());
  CHECK(reason([](auto& o) { o.logit_bias = {{99, -infinity}, {0, 5.0f}}; }).empty());
  for (const float bad : {-0.1f, nan, infinity}) {
    CHECK_THAT(reason([&](auto& o) { o.temperature = bad; }), ContainsSubstring("temperature"));
    CHECK_THAT(reason([&](auto& o) { o.top_p = bad; }), ContainsSubstring("top_p"));
    CHECK_THAT(reason([&](auto& o) { o.min_p = bad; }), ContainsSubstring("min_p"));
    CHECK_THAT(reason([&](auto& o) { o.repetition_penalty = bad; }), ContainsSubstring("repetition_penalty"));
  }
  for (const float bad : {-101.0f, nan, infinity}) {
    CHECK_THAT(reason([&](auto& o) { o.presence_penalty = bad; }), ContainsSubstring("presence_penalty"));
    CHECK_THAT(reason([&](auto& o) { o.frequency_penalty = bad; }), ContainsSubstring("frequency_penalty"));
  }
  CHECK_THAT(reason([](auto& o) { o.top_p = 0; }), ContainsSubstring("top_p"));
  CHECK_THAT(reason([](auto& o) { o.repetition_penalty = 0; }), ContainsSubstring("repetition_penalty"));
  for (const float bad : {nan, infinity, 1e7f})
    CHECK_THAT(reason([&](auto& o) { o.logit_bias = {{7, bad}}; }), ContainsSubstring("token 7"));
  CHECK_THAT(reason([](auto& o) { o.logit_bias = {{100, 1.0f}}; }), ContainsSubstring("token 100"));
  CHECK_THAT(reason([](auto& o) {
               for (uint32_t id = 0; id < 100; ++id)
                 o.logit_bias.emplace_back(id, -infinity);
             }),
             ContainsSubstring("every token"));
}
