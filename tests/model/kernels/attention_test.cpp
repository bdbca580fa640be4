#include "model/kernels/kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/attention.hpp"
#include "model/kernels/half.hpp"
#include "model/kernels/kernel_table.hpp"
#include "support/catch.hpp"
#include <bit>
#include <cmath>
#include <limits>

using namespace troupe;
using namespace troupe::testing;

namespace {

/// Keys, values and a cache that holds them.
struct filled_cache {
  std::vector<float> keys, values; // [positions, head_dim]
  kv_cache cache;
  filled_cache(uint32_t head_dim, uint32_t positions, random_bits& random, cache_type type = cache_type::f32)
      : keys(random.units(head_dim * positions, 2.0f)), values(random.units(head_dim * positions)),
        cache(head_dim, type) {
    for (uint32_t p = 0; p < positions; ++p) write(p);
  }
  /// What the cache holds of them, as float32.
  std::vector<float> held(const std::vector<float>& all, uint32_t positions) const {
    std::vector<float> result(all.begin(), all.begin() + ptrdiff_t(positions * cache.head_dim()));
    if (cache.type() == cache_type::f16)
      for (float& x : result) x = float_of_half(half_of_float(x));
    return result;
  }
  void write(uint32_t p) { cache.write(p, key(p), value(p)); }
  std::span<const float> key(uint32_t p) const { return part(keys, p); }
  std::span<const float> value(uint32_t p) const { return part(values, p); }

private:
  std::span<const float> part(const std::vector<float>& all, uint32_t p) const {
    return std::span(all).subspan(p * cache.head_dim(), cache.head_dim());
  }
};

std::vector<float> attention_of(const kv_cache& cache, std::span<const float> query, uint32_t positions,
                                float scale) {
  std::vector<float> out(query.size(), std::nanf("")), scratch;
  const float sum = attend(cache, query, positions, scale, out, scratch);
  REQUIRE(std::abs(sum - 1) < 1e-5f);
  return out;
}

} // namespace

TEST_CASE("attention agrees with its formula for every head size and around page borders", "[kernels]") {
  const isa_guard guard;
  random_bits random(51);
  for (const cache_type type : {cache_type::f32, cache_type::f16})
    for (const uint32_t head_dim : {1u, 8u, 16u, 48u, 64u, 72u, 80u, 128u}) {
      filled_cache filled(head_dim, 200, random, type);
      for (const uint32_t positions : {1u, 2u, 15u, 16u, 17u, 63u, 64u, 65u, 127u, 128u, 129u, 200u}) {
        const std::vector<float> query = random.units(head_dim, 2.0f);
        const float scale = 1 / std::sqrt(float(head_dim));
        std::vector<float> expected(head_dim), first;
        attend_reference(filled.held(filled.keys, positions), filled.held(filled.values, positions), query, scale,
                         expected);
        for (const std::string& isa : available_isas()) {
          pin_isa(isa);
          INFO("cache " << int(type) << " head_dim " << head_dim << " positions " << positions << " on " << isa);
          const auto out = attention_of(filled.cache, query, positions, scale);
          for (uint32_t d = 0; d < head_dim; ++d)
            REQUIRE(std::abs(out[d] - expected[d]) < 4e-6f); // Values are below 1; scores below 50.
          if (first.empty()) first = out;
          REQUIRE(same_bits(out, first));
        }
      }
    }
}

TEST_CASE("a query row has the bits it has alone among 1 to 70 rows, in both kinds of cache", "[kernels]") {
  const isa_guard guard;
  const uint64_t seed = 57;
  INFO("seed " << seed);
  random_bits random(seed);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const cache_type type : {cache_type::f32, cache_type::f16})
      for (const uint32_t head_dim : {20u, 64u, 72u})
        for (const uint32_t step : {0u, 1u}) { // All rows see the same positions; each one more than the row before.
          const uint32_t most = 70, heads = 1 + random.below(5), first = 1 + random.below(130);
          filled_cache filled(head_dim, first + most, random, type);
          const std::vector<float> queries = random.units(most * heads * head_dim);
          std::vector<float> alone(queries.size()), scratch;
          for (uint32_t unit = 0; unit < most * heads; ++unit) {
            const std::span<float> out = std::span(alone).subspan(unit * head_dim, head_dim);
            attend(filled.cache, std::span(queries).subspan(unit * head_dim, head_dim), first + unit / heads * step, 0.3f,
                   out, scratch);
          }
          const uint32_t columns = heads * head_dim;
          for (uint32_t rows = 1; rows <= most; rows += isa == "plain" ? 1 + random.below(20) : 1) {
            INFO("rows " << rows << " heads " << heads << " head_dim " << head_dim << " first " << first << " step " << step
                         << " cache " << int(type) << " on " << isa);
            std::vector<float> out(rows * columns, std::nanf("")), sums(rows * heads);
            attend(filled.cache, {queries.data(), rows, columns, columns}, {first, step}, 0.3f, rows_of(out, rows), sums,
                   scratch);
            REQUIRE(same_bits(out, std::span(alone).first(out.size())));
          }
        }
  }
}

TEST_CASE("a number is rounded to the nearest binary16, ties to even, and what is finite stays finite", "[kernels]") {
  for (uint32_t half = 0; half <= 0xffff; ++half) { // Each binary16 is its own nearest; NaN stays NaN.
    const float value = float_of_half(uint16_t(half));
    const uint16_t rounded = half_of_float(value);
    if (std::isnan(value))
      REQUIRE(std::isnan(float_of_half(rounded)));
    else
      REQUIRE(rounded == half);
  }
  for (uint32_t half = 0; half < 0x7bff; ++half) { // Between neighbours.
    const float low = float_of_half(uint16_t(half)), high = float_of_half(uint16_t(half + 1)), middle = (low + high) / 2;
    REQUIRE(half_of_float(middle) == (half % 2 == 0 ? half : half + 1));
    REQUIRE(half_of_float(std::nextafter(middle, 0.0f)) == half);
    REQUIRE(half_of_float(-std::nextafter(middle, HUGE_VALF)) == (0x8000 | (half + 1)));
  }
  for (const float large : {65504.0f, 65519.0f, 65520.0f, 1e30f, std::numeric_limits<float>::max()})
    REQUIRE(half_of_float(-large) == 0xfbff);
  REQUIRE(half_of_float(HUGE_VALF) == 0x7c00);
  REQUIRE(half_of_float(1e-40f) == 0);
}

TEST_CASE("kernels round to binary16 as the formula does, also what is not finite", "[kernels]") {
  const isa_guard guard;
  random_bits random(59);
  std::vector<float> values{0.0f, -0.0f, 1e-40f, 65503.9f, 65504.0f, 65519.9f, 65520.0f, -65520.0f, 1e30f, HUGE_VALF, -HUGE_VALF,
                            std::numeric_limits<float>::max(), std::nanf(""), -std::nanf(""), std::bit_cast<float>(0x7f800001u)};
  for (uint32_t half = 0; half < 0x7bff; half += 7) { // Between neighbours.
    const float low = float_of_half(uint16_t(half)), high = float_of_half(uint16_t(half + 1)), middle = (low + high) / 2;
    values.insert(values.end(), {low, middle, std::nextafter(middle, 0.0f), -std::nextafter(middle, HUGE_VALF)});
  }
  for (int i = 0; i < 1000; ++i) values.push_back(std::bit_cast<float>(uint32_t(random.below(0x10000)) << 16 | random.below(0x10000)));
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t count : {1u, 15u, 16u, 17u, uint32_t(values.size())}) {
      std::vector<uint16_t> halves((count + 15) / 16 * 16);
      current_kernels().to_halves(values.data(), halves.data(), count);
      for (uint32_t i = 0; i < count; ++i) {
        INFO("value " << values[i] << " at " << i << " on " << isa);
        REQUIRE(halves[i] == half_of_float(values[i]));
      }
    }
  }
}

TEST_CASE("caches that share pages use those of a cache that has ended, with no bit of the results changed", "[kernels]") {
  random_bits random(60);
  for (const cache_type type : {cache_type::f32, cache_type::f16})
    for (const bool keep_sums : {false, true}) {
      const uint32_t head_dim = 24;
      const auto pages = kv_cache::make_pages(head_dim, type);
      const filled_cache fresh(head_dim, 70, random, type);
      const std::vector<float> query = random.units(head_dim);
      {
        kv_cache earlier(head_dim, type, keep_sums, pages);
        const std::vector<float> nan(head_dim, std::nanf(""));
        for (uint32_t p = 0; p < 64; ++p) earlier.write(p, nan, nan);
      }
      kv_cache later(head_dim, type, keep_sums, pages);
      for (uint32_t p = 0; p < 70; ++p) {
        later.write(p, fresh.key(p), fresh.value(p));
        REQUIRE(later.is_intact());
        REQUIRE(same_bits(attention_of(later, query, p + 1, 0.2f), attention_of(fresh.cache, query, p + 1, 0.2f)));
      }
      REQUIRE(pages->allocated() == 2);
    }
}

TEST_CASE("which cache comes next changes no bit of attention", "[kernels]") {
  const isa_guard guard;
  random_bits random(61);
  const uint32_t head_dim = 48;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    const filled_cache filled(head_dim, 90, random, cache_type::f16), other(head_dim, 10, random, cache_type::f16);
    const kv_cache empty(head_dim, cache_type::f16);
    const std::vector<float> query = random.units(head_dim);
    const auto alone = attention_of(filled.cache, query, 90, 0.2f);
    for (const kv_cache* next : {&other.cache, &empty}) {
      std::vector<float> out(head_dim), sums(1), scratch;
      attend(filled.cache, rows_of(query, 1), 90, 0.2f, rows_of(out, 1), sums, scratch, {}, next);
      REQUIRE(same_bits(out, alone));
      next->fetch_for_write(9);
      next->fetch_for_write(64);
    }
  }
}

TEST_CASE("a cache in f16 takes half the memory", "[kernels]") {
  random_bits random(58);
  const filled_cache wide(32, 130, random), narrow(32, 130, random, cache_type::f16);
  REQUIRE(narrow.cache.bytes() * 2 == wide.cache.bytes());
}

TEST_CASE("later positions, even ones that are not finite, do not change a bit of attention", "[kernels]") {
  const isa_guard guard;
  random_bits random(52);
  const uint32_t head_dim = 24;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t positions : {1u, 5u, 16u, 63u, 64u, 65u, 128u}) {
      filled_cache filled(head_dim, positions, random);
      const std::vector<float> query = random.units(head_dim), poison(head_dim, std::nanf(""));
      const auto before = attention_of(filled.cache, query, positions, 0.2f);
      for (uint32_t p = positions; p < positions + 70; ++p) filled.cache.write(p, poison, poison);
      INFO("positions " << positions << " on " << isa);
      REQUIRE(same_bits(attention_of(filled.cache, query, positions, 0.2f), before));
    }
  }
}

TEST_CASE("writing an old position again changes nothing", "[kernels]") {
  random_bits random(53);
  filled_cache filled(32, 130, random);
  const std::vector<float> query = random.units(32);
  const auto before = attention_of(filled.cache, query, 130, 0.2f);
  const uint64_t bytes = filled.cache.bytes();
  for (const uint32_t p : {0u, 63u, 64u, 129u, 100u}) filled.write(p);
  REQUIRE(filled.cache.length() == 130);
  REQUIRE(filled.cache.bytes() == bytes);
  REQUIRE(bytes == 3 * 64 * 32 * 2 * sizeof(float));
  REQUIRE(same_bits(attention_of(filled.cache, query, 130, 0.2f), before));
}

TEST_CASE("a position written anew replaces the old one", "[kernels]") {
  random_bits random(54);
  filled_cache filled(16, 70, random), other(16, 70, random);
  for (uint32_t p = 0; p < 70; ++p) filled.cache.write(p, other.key(p), other.value(p));
  const std::vector<float> query = random.units(16);
  REQUIRE(same_bits(attention_of(filled.cache, query, 70, 0.3f), attention_of(other.cache, query, 70, 0.3f)));
}

TEST_CASE("query heads that share a cache have the bits they have alone", "[kernels]") {
  const isa_guard guard;
  random_bits random(55);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t head_dim : {20u, 64u})
      for (const uint32_t positions : {1u, 64u, 150u}) {
        filled_cache filled(head_dim, positions, random);
        for (uint32_t heads = 1; heads <= 9; ++heads) {
          const std::vector<float> queries = random.units(heads * head_dim);
          std::vector<float> out(heads * head_dim), sums(heads), scratch;
          attend(filled.cache, rows_of(queries, heads), positions, 0.3f, rows_of(out, heads), sums, scratch);
          for (uint32_t h = 0; h < heads; ++h) {
            INFO("head " << h << " of " << heads << " positions " << positions << " on " << isa);
            const std::span<const float> query = rows_of(queries, heads).row(h);
            std::vector<float> alone(head_dim);
            const float sum = attend(filled.cache, query, positions, 0.3f, alone, scratch);
            REQUIRE(same_bits(std::span(out).subspan(h * head_dim, head_dim), alone));
            REQUIRE(same_bits(sums[h], sum));
          }
        }
      }
  }
}

TEST_CASE("large scores neither overflow nor lose the largest", "[kernels]") {
  const isa_guard guard;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    kv_cache cache(16);
    for (uint32_t p = 0; p < 100; ++p)
      cache.write(p, std::vector<float>(16, p == 77 ? 1000.0f : -1000.0f), std::vector<float>(16, float(p)));
    const auto out = attention_of(cache, std::vector<float>(16, 1000.0f), 100, 1.0f);
    for (const float value : out) REQUIRE(value == 77.0f);
  }
}

TEST_CASE("a NaN in a visible key or in the query makes the output NaN", "[kernels]") {
  const isa_guard guard;
  random_bits random(56);
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    for (const uint32_t poisoned : {0u, 5u, 64u, 69u}) {
      filled_cache filled(16, 70, random);
      std::vector<float> key(filled.key(poisoned).begin(), filled.key(poisoned).end()), out(16), scratch;
      key[3] = std::nanf("");
      filled.cache.write(poisoned, key, filled.value(poisoned));
      const std::vector<float> query = random.units(16);
      REQUIRE(std::isnan(attend(filled.cache, query, 70, 0.3f, out, scratch)));
      for (const float value : out) REQUIRE(std::isnan(value));
    }
  }
}

TEST_CASE("the cache refuses gaps and wrong shapes, attention positions that are not there", "[kernels]") {
  kv_cache cache(8);
  const std::vector<float> right(8), wrong(9);
  std::vector<float> out(8), scratch;
  REQUIRE_THROWS_AS(cache.write(1, right, right), broken_invariant);
  REQUIRE_THROWS_AS(cache.write(0, wrong, right), broken_invariant);
  REQUIRE_THROWS_AS(cache.write(0, right, wrong), broken_invariant);
  cache.write(0, right, right);
  REQUIRE(cache.length() == 1);
  REQUIRE_THROWS_AS(attend(cache, right, 0, 1.0f, out, scratch), broken_invariant);
  REQUIRE_THROWS_AS(attend(cache, right, 2, 1.0f, out, scratch), broken_invariant);
  REQUIRE_THROWS_AS(attend(cache, wrong, 1, 1.0f, out, scratch), broken_invariant);
}

TEST_CASE("a fork of a cache shares what it holds until either writes to it", "[kernels]") {
  for (const auto type : {cache_type::f32, cache_type::f16}) {
    constexpr uint32_t head_dim = 8, length = 70;
    kv_cache original(head_dim, type, true);
    const auto row = [](float value) { return std::vector<float>(head_dim, value); };
    for (uint32_t p = 0; p < length; ++p) original.write(p, row(float(p)), row(float(2 * p)));
    auto copy = original.fork(67);
    CHECK(copy.length() == 67);
    CHECK(copy.keys(0) == original.keys(0));
    CHECK(copy.keys(1) == original.keys(1));
    copy.write(67, row(1000), row(1000));
    CHECK(copy.keys(0) == original.keys(0));
    CHECK(copy.keys(1) != original.keys(1));
    CHECK(copy.is_intact());
    CHECK(original.is_intact());
    original.write(3, row(7), row(7));
    CHECK(copy.keys(0) != original.keys(0));
    CHECK(copy.is_intact());
    CHECK(original.is_intact());
  }
}

TEST_CASE("a bias is added to the scores by the distance of key and query", "[kernels]") {
  constexpr uint32_t head_dim = 20, length = 131, heads = 3, rows = 5, first = 60;
  random_bits random{3};
  const auto noise = [&](size_t count) { return random.units(count); };
  kv_cache cache(head_dim);
  std::vector<float> keys, values;
  for (uint32_t p = 0; p < length; ++p) {
    const auto key = noise(head_dim), value = noise(head_dim);
    cache.write(p, key, value);
    keys.insert(keys.end(), key.begin(), key.end());
    values.insert(values.end(), value.begin(), value.end());
  }
  const auto queries = noise(rows * heads * head_dim);
  constexpr uint64_t stride = 2 * 200 + 64;
  const auto biases = noise(heads * stride);
  std::vector<float> out(rows * heads * head_dim), sums(rows * heads), scratch;
  attend(cache, {queries.data(), rows, heads * head_dim, heads * head_dim}, {length}, 0.5f,
         {out.data(), rows, heads * head_dim, heads * head_dim}, sums, scratch, {biases.data() + 200, stride, first});
  double worst = 0;
  for (uint32_t r = 0; r < rows; ++r)
    for (uint32_t h = 0; h < heads; ++h) {
      std::vector<double> weights(length);
      double sum = 0;
      for (uint32_t p = 0; p < length; ++p) {
        double score = 0;
        for (uint32_t d = 0; d < head_dim; ++d) score += double(queries[(r * heads + h) * head_dim + d]) * keys[p * head_dim + d];
        weights[p] = std::exp(0.5 * score + biases[h * stride + 200 + p - (first + r)]);
        sum += weights[p];
      }
      for (uint32_t d = 0; d < head_dim; ++d) {
        double wanted = 0;
        for (uint32_t p = 0; p < length; ++p) wanted += weights[p] / sum * values[p * head_dim + d];
        worst = std::max(worst, std::abs(wanted - out[(r * heads + h) * head_dim + d]));
      }
    }
  CHECK(worst < 2e-6);
}
