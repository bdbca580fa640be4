#include "kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/attention.hpp"
#include "support/catch.hpp"

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
  for (const uint32_t head_dim : {1u, 8u, 16u, 48u, 64u, 72u, 80u, 128u}) {
    filled_cache filled(head_dim, 200, random);
    for (const uint32_t positions : {1u, 2u, 15u, 16u, 17u, 63u, 64u, 65u, 127u, 128u, 129u, 200u}) {
      const std::vector<float> query = random.units(head_dim, 2.0f);
      const float scale = 1 / std::sqrt(float(head_dim));
      std::vector<float> expected(head_dim), first;
      attend_reference(std::span(filled.keys).first(positions * head_dim),
                       std::span(filled.values).first(positions * head_dim), query, scale, expected);
      for (const std::string& isa : available_isas()) {
        pin_isa(isa);
        INFO("head_dim " << head_dim << " positions " << positions << " on " << isa);
        const auto out = attention_of(filled.cache, query, positions, scale);
        for (uint32_t d = 0; d < head_dim; ++d)
          REQUIRE(std::abs(out[d] - expected[d]) < 4e-6f); // Values are below 1; scores below 50.
        if (first.empty()) first = out;
        REQUIRE(same_bits(out, first));
      }
    }
  }
}

TEST_CASE("later positions, even poisoned ones, do not change a bit of attention", "[kernels]") {
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

TEST_CASE("poison in a visible key or in the query makes the output NaN", "[kernels]") {
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
