#include "model/kernels/kernel_support.hpp"
#include "model/error.hpp"
#include "model/kernels/rowwise.hpp"
#include "support/catch.hpp"
#include <functional>
#include <limits>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr activation_kind all_activations[] = {activation_kind::relu, activation_kind::gelu_tanh,
                                               activation_kind::gelu_erf, activation_kind::silu};
constexpr double root_half = 0.70710678118654752440;

/// By the formulas, in float64.
double activation_of(activation_kind kind, double x) {
  switch (kind) {
  case activation_kind::relu:
    return x < 0 ? 0 : x;
  case activation_kind::gelu_tanh:
    // 0.5x(1 + tanh(y)), written so that it does not cancel.
    return x / (1 + std::exp(-2 * std::sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
  case activation_kind::gelu_erf:
    return 0.5 * x * std::erfc(-x * root_half);
  case activation_kind::silu:
    return x / (1 + std::exp(-x));
  case activation_kind::tanh:
    return std::tanh(x);
  }
  return 0;
}

/// Distance in units of the last place of `expected`, which are never smaller than the subnormal's.
double ulps_between(float actual, double expected) {
  const float nearest = std::abs(float(expected));
  const double ulp = std::nextafter(nearest, HUGE_VALF) - nearest;
  return std::abs(double(actual) - expected) / ulp;
}

/// Runs `check` for every instruction set; what it returns must have the same bits on each.
void on_every_isa(const std::function<std::vector<float>()>& check) {
  const isa_guard guard;
  std::vector<float> first;
  for (const std::string& isa : available_isas()) {
    pin_isa(isa);
    INFO("on " << isa);
    const auto result = check();
    if (isa == available_isas().front()) first = result;
    REQUIRE(same_bits(result, first));
  }
}

} // namespace

TEST_CASE("tanh is within 2e-7 of its formula", "[kernels]") {
  on_every_isa([] {
    std::vector<float> x;
    for (int i = -12000; i <= 12000; ++i) x.push_back(float(i) * 1e-3f);
    std::vector<float> y = x;
    activate(activation_kind::tanh, y);
    for (size_t i = 0; i < x.size(); ++i) REQUIRE(std::abs(double(y[i]) - std::tanh(double(x[i]))) < 2e-7);
    return y;
  });
}

TEST_CASE("activations are within a few units of the last place of their formulas", "[kernels]") {
  // Where an exponential is tiny its argument's own rounding shows: |2y| is 0.07 |x|³ for gelu_tanh, and
  // every one of five roundings on the way to it costs up to an ulp for each unit of it.
  on_every_isa([] {
    std::vector<float> all;
    for (const activation_kind kind : all_activations) {
      std::vector<float> x;
      for (int i = -30000; i <= 30000; ++i) x.push_back(float(i) * 0.5e-3f);
      std::vector<float> y = x;
      activate(kind, y);
      double worst = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double expected = activation_of(kind, x[i]);
        if (std::abs(expected) < 1e-36) // Near the subnormals ulps say little.
          continue;
        const double slope =
            kind == activation_kind::gelu_tanh ? std::abs(std::pow(double(x[i]), 3)) * 0.3 + 8 : 6;
        const double error = ulps_between(y[i], expected);
        worst = std::max(worst, error / slope);
        INFO("kind " << int(kind) << " x " << x[i] << " got " << y[i] << " expected " << expected);
        REQUIRE(error <= slope);
      }
      REQUIRE((kind == activation_kind::relu || worst > 0)); // The comparison compares.
      all.insert(all.end(), y.begin(), y.end());
    }
    return all;
  });
}

TEST_CASE("activations keep zero, infinity and NaN in their places", "[kernels]") {
  on_every_isa([] {
    std::vector<float> all;
    for (const activation_kind kind : all_activations) {
      const float huge = std::numeric_limits<float>::max();
      std::vector<float> x = {0.0f,   -0.0f,   HUGE_VALF, std::nanf(""), huge,  -huge,
                              1e-40f, -1e-40f, 200,       -200,          88.9f, -104.5f};
      activate(kind, x);
      INFO("kind " << int(kind));
      REQUIRE(x[0] == 0);
      REQUIRE(x[1] == 0);
      REQUIRE(x[2] == HUGE_VALF);
      REQUIRE(std::isnan(x[3]));
      REQUIRE(x[4] == huge);
      REQUIRE(x[5] == 0);
      REQUIRE(std::abs(x[6]) <= 1e-40f);
      REQUIRE(std::abs(x[7]) <= 1e-40f);
      REQUIRE(x[8] == 200);
      REQUIRE(x[9] == 0);
      REQUIRE(x[10] == 88.9f);
      REQUIRE(std::abs(x[11]) < 1e-37f);
      all.insert(all.end(), x.begin(), x.end());
    }
    return all;
  });
}

TEST_CASE("row-wise operations of every length touch their elements and no other", "[kernels]") {
  on_every_isa([] {
    random_bits random(41);
    std::vector<float> all;
    for (uint32_t n = 0; n <= 40; ++n) {
      INFO("length " << n);
      const std::vector<float> x = random.units(n, 4.0f), y = random.units(n);
      const float sentinel = 42;
      const auto guarded = [&](auto operation) {
        std::vector<float> padded(x.begin(), x.end());
        padded.insert(padded.end(), 20, sentinel);
        operation(std::span(padded).first(n));
        for (uint32_t i = n; i < n + 20; ++i) REQUIRE(padded[i] == sentinel);
        padded.resize(n);
        all.insert(all.end(), padded.begin(), padded.end());
        return padded;
      };
      const auto sums = guarded([&](std::span<float> to) { add(to, y); });
      const auto active = guarded([&](std::span<float> to) { activate(activation_kind::silu, to); });
      const auto gated = guarded([&](std::span<float> to) { activate_gated(activation_kind::silu, to, y); });
      for (uint32_t i = 0; i < n; ++i) {
        REQUIRE(sums[i] == x[i] + y[i]);
        REQUIRE(ulps_between(active[i], activation_of(activation_kind::silu, x[i])) < 4);
        REQUIRE(gated[i] == active[i] * y[i]);
      }
      for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
        for (const bool has_bias : {false, true}) {
          const std::vector<float> weight = random.units(n), bias = random.units(has_bias ? n : 0);
          const norm_spec spec{kind, 1e-5f};
          const auto normal = guarded([&](std::span<float> to) { normalize(spec, weight, bias, to, to); });
          double mean = 0, square = 0;
          for (const float value : x) mean += kind == norm_kind::layer ? double(value) / n : 0;
          for (const float value : x) square += (value - mean) * (value - mean) / n;
          for (uint32_t i = 0; i < n; ++i) {
            const double unit = (x[i] - mean) / std::sqrt(square + double(spec.epsilon));
            const double expected = unit * weight[i] + (has_bias ? bias[i] : 0.0f);
            const double magnitude = 4 + std::abs(unit);
            REQUIRE(std::abs(normal[i] - expected) < 8e-7 * magnitude);
          }
        }
    }
    return all;
  });
}

TEST_CASE("a wide row is normalised as exactly as float32 allows", "[kernels]") {
  on_every_isa([] {
    random_bits random(42);
    const std::vector<float> x = random.units(4096, 10.0f), weight(4096, 1.0f);
    std::vector<float> out(4096);
    normalize({norm_kind::rms, 1e-6f}, weight, {}, x, out);
    double square = 0;
    for (const float value : x) square += double(value) * value / 4096;
    for (size_t i = 0; i < x.size(); ++i)
      REQUIRE(std::abs(out[i] - x[i] / std::sqrt(square + 1e-6)) < 1e-6 * std::abs(out[i]) + 1e-9);
    return out;
  });
}

TEST_CASE("rope turns pairs by position times frequency, and only the leading dimensions", "[kernels]") {
  for (const rope_kind kind : {rope_kind::interleaved, rope_kind::half_split})
    for (const uint32_t dimensions : {2u, 6u, 16u, 20u, 64u, 80u}) {
      rope_spec spec{kind, dimensions, 10000.0f, 2.0f, {}};
      for (uint32_t i = 0; i < dimensions / 2; ++i) spec.factors.push_back(1.0f + float(i % 3));
      const rope_table table(spec, 50);
      REQUIRE(table.positions() == 50);
      on_every_isa([&] {
        random_bits random(43);
        std::vector<float> all;
        for (const uint32_t position : {0u, 1u, 49u}) {
          const std::vector<float> head = random.units(dimensions + 5);
          std::vector<float> turned = head;
          table.rotate(turned, position);
          for (uint32_t i = 0; i < dimensions / 2; ++i) {
            const bool is_split = kind == rope_kind::half_split;
            const uint32_t a = is_split ? i : 2 * i, b = is_split ? i + dimensions / 2 : 2 * i + 1;
            const double angle =
                position * std::pow(10000.0, -2.0 * i / dimensions) / 2.0 / double(spec.factors[i]);
            INFO("kind " << int(kind) << " dimensions " << dimensions << " pair " << i);
            REQUIRE(std::abs(turned[a] - (head[a] * std::cos(angle) - head[b] * std::sin(angle))) < 3e-7);
            REQUIRE(std::abs(turned[b] - (head[b] * std::cos(angle) + head[a] * std::sin(angle))) < 3e-7);
          }
          for (uint32_t i = dimensions; i < dimensions + 5; ++i) REQUIRE(turned[i] == head[i]);
          all.insert(all.end(), turned.begin(), turned.end());
        }
        REQUIRE_THROWS_AS(table.rotate(all, 50), broken_invariant);
        return all;
      });
    }
  std::vector<float> head = {1, 2};
  rope_table().rotate(head, 1000); // None: nothing to turn, no limit.
  REQUIRE(head == std::vector<float>{1, 2});
}

TEST_CASE("rope turns as exactly at the last of a million positions as at the first", "[kernels]") {
  const rope_spec spec{rope_kind::half_split, 128, 10000.0f, 1.0f, {}};
  const rope_table table(spec, 1u << 20);
  std::vector<float> turn;
  for (const uint32_t position : {0u, 1u, 1023u, 1024u, 1025u, 4096u, 777'777u, (1u << 20) - 1}) {
    table.turn_at(position, turn);
    REQUIRE(turn.size() == 128);
    for (uint32_t i = 0; i < 64; ++i) {
      INFO("position " << position << " pair " << i);
      const double angle = position * std::pow(10000.0, -2.0 * i / 128);
      REQUIRE(std::abs(turn[i] - std::cos(angle)) < 6e-8);
      REQUIRE(std::abs(turn[64 + i] - std::sin(angle)) < 6e-8);
    }
  }
  REQUIRE_THROWS_AS(table.turn_at(1u << 20, turn), broken_invariant);
}

TEST_CASE("one element that is not finite is found at every place", "[kernels]") {
  on_every_isa([] {
    random_bits random(44);
    for (uint32_t n = 0; n <= 40; ++n) {
      std::vector<float> x = random.units(n, 3e38f);
      REQUIRE(is_finite(x));
      for (uint32_t i = 0; i < n; ++i)
        for (const float poison : {std::nanf(""), HUGE_VALF, -HUGE_VALF, -std::nanf("")}) {
          const float before = std::exchange(x[i], poison);
          REQUIRE_FALSE(is_finite(x));
          REQUIRE(is_finite(std::span(x).first(i)));
          x[i] = before;
        }
    }
    return std::vector<float>{};
  });
}

TEST_CASE("a row that is not finite is not finite after its norm either", "[kernels]") {
  on_every_isa([] {
    random_bits random(45);
    std::vector<float> all;
    for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
      for (const float poison : {std::nanf(""), HUGE_VALF}) {
        std::vector<float> x = random.units(37), weight(37, 1.0f);
        x[random.below(37)] = poison;
        normalize({kind, 1e-5f}, weight, {}, x, x);
        REQUIRE_FALSE(is_finite(x));
        all.insert(all.end(), x.begin(), x.end());
      }
    return all;
  });
}

TEST_CASE("the largest element is found at every place, beside infinities too", "[kernels]") {
  on_every_isa([] {
    random_bits random(46);
    std::vector<float> all;
    for (uint32_t n = 1; n <= 40; ++n) {
      std::vector<float> x = random.units(n, 3e38f);
      REQUIRE(largest(x) == *std::max_element(x.begin(), x.end()));
      for (uint32_t i = 0; i < n; ++i)
        for (const float value : {HUGE_VALF, -HUGE_VALF, 3.2e38f}) {
          const float before = std::exchange(x[i], value);
          REQUIRE(largest(x) == *std::max_element(x.begin(), x.end()));
          x[i] = before;
        }
      all.push_back(largest(x));
    }
    return all;
  });
}
