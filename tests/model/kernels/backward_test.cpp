// Claims: gradients are those of the formulas, which are checked against differences of the functions themselves in float64; every
// row has the same bits on every instruction set, and does not depend on what is beside it.
#include "model/kernels/backward.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include "model/kernels/kernel_support.hpp"
#include "model/kernels/rowwise.hpp"
#include "support/catch.hpp"
#include <functional>
#include <limits>
#include <numbers>

using namespace troupe;
using namespace troupe::testing;

namespace {

constexpr activation_kind all_activations[] = {activation_kind::relu, activation_kind::gelu_tanh, activation_kind::gelu_erf,
                                               activation_kind::silu, activation_kind::tanh};
constexpr float sentinel = 42.0f;
using doubles = std::vector<double>;

doubles widened(std::span<const float> x) { return {x.begin(), x.end()}; }

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

/// A row with elements behind it that nobody may touch.
class guarded_row {
public:
  explicit guarded_row(std::span<const float> values) : size_(values.size()), all_(values.begin(), values.end()) {
    all_.insert(all_.end(), 20, sentinel);
  }
  operator std::span<float>() { return std::span(all_).first(size_); }
  std::vector<float> values() const {
    for (size_t i = size_; i < all_.size(); ++i) REQUIRE(all_[i] == sentinel);
    return {all_.begin(), all_.begin() + ptrdiff_t(size_)};
  }

private:
  size_t size_;
  std::vector<float> all_;
};

void append(std::vector<float>& all, const std::vector<float>& more) { all.insert(all.end(), more.begin(), more.end()); }

/// df/dx of every element, by differences.
doubles differences(const std::function<double(const doubles&)>& f, doubles x, double step = 1e-5) {
  doubles slopes;
  for (double& value : x) {
    const double before = value;
    value = before + step;
    const double above = f(x);
    value = before - step;
    slopes.push_back((above - f(x)) / (2 * step));
    value = before;
  }
  return slopes;
}

double dot(const doubles& a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * double(b[i]);
  return sum;
}

// The functions themselves, in float64.

double activation_of(activation_kind kind, double x) {
  switch (kind) {
  case activation_kind::relu: return x > 0 ? x : 0;
  case activation_kind::gelu_tanh: return x / (1 + std::exp(-2 * std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
  case activation_kind::gelu_erf: return 0.5 * x * std::erfc(-x / std::numbers::sqrt2);
  case activation_kind::silu: return x / (1 + std::exp(-x));
  case activation_kind::tanh: return std::tanh(x);
  }
  return 0;
}

double slope_of(activation_kind kind, double x) {
  switch (kind) {
  case activation_kind::relu: return x > 0 ? 1 : 0;
  case activation_kind::gelu_tanh: {
    const double root = std::sqrt(2 / std::numbers::pi), t = std::tanh(root * (x + 0.044715 * x * x * x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root * (1 + 3 * 0.044715 * x * x);
  }
  case activation_kind::gelu_erf:
    return 0.5 * std::erfc(-x / std::numbers::sqrt2) + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
  case activation_kind::silu: {
    const double s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
  }
  case activation_kind::tanh: return 1 - std::tanh(x) * std::tanh(x);
  }
  return 0;
}

struct norm_case {
  norm_spec spec;
  std::vector<float> weight, bias, x, dy;
};

doubles normalized(const norm_spec& spec, const doubles& x, double& deviation) {
  const double n = double(x.size());
  double mean = 0, square = 0;
  if (spec.kind == norm_kind::layer)
    for (const double value : x) mean += value / n;
  for (const double value : x) square += (value - mean) * (value - mean) / n;
  deviation = std::sqrt(square + double(spec.epsilon));
  doubles u = x;
  for (double& value : u) value = (value - mean) / deviation;
  return u;
}

struct norm_gradients {
  doubles dx, dweight, dbias;
};

norm_gradients formula_of(const norm_case& one) {
  double deviation = 0;
  const doubles u = normalized(one.spec, widened(one.x), deviation);
  const double n = double(u.size());
  double mean_g = 0, mean_gu = 0;
  for (size_t i = 0; i < u.size(); ++i) {
    const double g = double(one.dy[i]) * double(one.weight[i]);
    mean_g += one.spec.kind == norm_kind::layer ? g / n : 0;
    mean_gu += g * u[i] / n;
  }
  norm_gradients all;
  for (size_t i = 0; i < u.size(); ++i) {
    all.dx.push_back((double(one.dy[i]) * double(one.weight[i]) - mean_g - u[i] * mean_gu) / deviation);
    all.dweight.push_back(double(one.dy[i]) * u[i]);
    all.dbias.push_back(double(one.dy[i]));
  }
  return all;
}

double loss_of(const norm_case& one, const doubles& x, const doubles& weight, const doubles& bias) {
  double deviation = 0, loss = 0;
  const doubles u = normalized(one.spec, x, deviation);
  for (size_t i = 0; i < x.size(); ++i) loss += double(one.dy[i]) * (u[i] * weight[i] + bias[i]);
  return loss;
}

doubles softmax_of(const doubles& x, double scale = 1) {
  doubles weights = x;
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (double& value : weights) sum += value = std::exp(scale * (value - top));
  for (double& value : weights) value /= sum;
  return weights;
}

double log_sum_of(std::span<const float> x) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (const float value : x) sum += std::exp(double(value) - top);
  return top + std::log(sum);
}

double largest_of(const doubles& x) {
  double largest = 0;
  for (const double value : x) largest = std::max(largest, std::abs(value));
  return largest;
}

void require_near(std::span<const float> actual, const doubles& expected, double tolerance) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    INFO("element " << i << ": " << actual[i] << ", expected " << expected[i] << " within " << tolerance);
    REQUIRE(std::abs(double(actual[i]) - expected[i]) <= tolerance);
  }
}

} // namespace

TEST_CASE("the gradient of a norm is that of its formula, added to what is there, for every length", "[kernels]") {
  on_every_isa([] {
    random_bits random(201);
    std::vector<float> all;
    for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
      for (uint32_t n = 1; n <= 70; ++n)
        for (const float size : {1.0f, 1e3f, 1e-3f}) {
          const norm_case one{{kind, 1e-5f}, random.units(n, 2.0f), random.units(n), random.units(n, size), random.units(n)};
          const std::vector<float> dx = random.units(n), dweight = random.units(n), dbias = random.units(n);
          guarded_row to_x(dx), to_weight(dweight), to_bias(dbias);
          const bool has_bias = n % 3 != 0;
          normalize_backward(one.spec, one.weight, one.x, one.dy, to_x, to_weight, has_bias ? std::span<float>(to_bias) : std::span<float>{});
          norm_gradients expected = formula_of(one);
          INFO("kind " << int(kind) << " length " << n << " size " << size);
          // Terms of dx that cancel: g / deviation is as large as they are.
          double deviation = 0;
          const doubles u = normalized(one.spec, widened(one.x), deviation);
          const double terms = 3 * (2 + largest_of(u)) / deviation;
          for (uint32_t i = 0; i < n; ++i) {
            expected.dx[i] += double(dx[i]);
            expected.dweight[i] += double(dweight[i]);
            expected.dbias[i] = double(dbias[i]) + (has_bias ? expected.dbias[i] : 0);
          }
          require_near(to_x.values(), expected.dx, 1e-6 * terms + 2e-7);
          require_near(to_weight.values(), expected.dweight, 1e-6 * (1 + largest_of(u)));
          require_near(to_bias.values(), expected.dbias, 2e-7);
          for (const auto* row : {&to_x, &to_weight, &to_bias}) append(all, row->values());
        }
    return all;
  });
}

TEST_CASE("the formulas of the gradients of norms are the differences of the norms", "[kernels]") {
  random_bits random(202);
  for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
    for (const uint32_t n : {2u, 3u, 17u, 64u}) {
      const norm_case one{{kind, 1e-3f}, random.units(n, 2.0f), random.units(n), random.units(n), random.units(n)};
      const doubles x = widened(one.x), weight = widened(one.weight), bias = widened(one.bias);
      const norm_gradients formula = formula_of(one);
      const auto check = [](const doubles& actual, const doubles& expected) {
        for (size_t i = 0; i < actual.size(); ++i) REQUIRE(std::abs(actual[i] - expected[i]) < 1e-7 * (1 + std::abs(expected[i])));
      };
      check(formula.dx, differences([&](const doubles& at) { return loss_of(one, at, weight, bias); }, x));
      check(formula.dweight, differences([&](const doubles& at) { return loss_of(one, x, at, bias); }, weight));
      check(formula.dbias, differences([&](const doubles& at) { return loss_of(one, x, weight, at); }, bias));
    }
}

TEST_CASE("the gradient of a norm stays finite for rows of zeros, of equal elements, of tiny and of large ones", "[kernels]") {
  on_every_isa([] {
    random_bits random(203);
    std::vector<float> all;
    for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
      for (const float value : {0.0f, -0.0f, 1.0f, 1e-40f, -1e-30f, 1e15f, -1e18f}) {
        const uint32_t n = 37;
        std::vector<float> x(n, value), weight = random.units(n), dy = random.units(n), dx(n), dweight(n), dbias(n);
        normalize_backward({kind, 1e-5f}, weight, x, dy, dx, dweight, dbias);
        INFO("kind " << int(kind) << " value " << value);
        for (const auto* row : {&dx, &dweight, &dbias}) REQUIRE(is_finite(*row));
        REQUIRE(same_bits(dbias, dy));
        // Nothing varies, so all that is left of x is 0 and 1 / deviation is 1 / sqrt(epsilon).
        const bool is_zero = value == 0 || (kind == norm_kind::layer && std::abs(value) <= 1);
        if (is_zero) {
          double mean = 0;
          for (uint32_t i = 0; i < n; ++i) mean += kind == norm_kind::layer ? double(dy[i]) * double(weight[i]) / n : 0;
          for (uint32_t i = 0; i < n; ++i) {
            REQUIRE(std::abs(dweight[i]) < 1e-4f); // The mean of ones is rounded.
            REQUIRE(std::abs(dx[i] - (double(dy[i]) * double(weight[i]) - mean) / std::sqrt(1e-5)) < 1e-3);
          }
        }
        for (const auto* row : {&dx, &dweight}) append(all, *row);
      }
    return all;
  });
}

TEST_CASE("slopes of activations are those of their formulas, everywhere", "[kernels]") {
  on_every_isa([] {
    std::vector<float> all;
    for (const activation_kind kind : all_activations) {
      std::vector<float> x;
      for (int i = -20000; i <= 20000; ++i) x.push_back(float(i) * 1e-3f);
      std::vector<float> dy(x.size(), 1.0f), gate = x, up(x.size(), 3.0f), act = x;
      activate_backward(kind, x, dy);
      activate(kind, act);
      activate_gated_backward(kind, gate, up, std::vector<float>(x.size(), 2.0f));
      for (size_t i = 0; i < x.size(); ++i) {
        INFO("kind " << int(kind) << " x " << x[i]);
        const double expected = slope_of(kind, double(x[i]));
        // 1 - s is off by half an ulp of 1, and multiplied by x times the slope of the exponent, which is large where s is almost 1.
        REQUIRE(std::abs(double(dy[i]) - expected) < (kind == activation_kind::gelu_tanh ? 2.5e-6 : 1.2e-6));
        REQUIRE(std::abs(double(gate[i]) - 6 * expected) < 1.6e-5);
        REQUIRE(up[i] == Approx(2 * activation_of(kind, double(x[i]))).epsilon(2e-6).margin(2e-6));
        REQUIRE(std::abs(up[i] - 2 * act[i]) <= 1e-6f * (1 + std::abs(act[i])));
      }
      for (const auto* row : {&dy, &gate, &up}) append(all, *row);
    }
    return all;
  });
}

TEST_CASE("the formulas of slopes are the differences of the activations", "[kernels]") {
  for (const activation_kind kind : all_activations)
    for (double x = -8.003; x < 8; x += 0.01) {
      const double step = 1e-5, slope = (activation_of(kind, x + step) - activation_of(kind, x - step)) / (2 * step);
      INFO("kind " << int(kind) << " x " << x);
      REQUIRE(std::abs(slope_of(kind, x) - slope) < 1e-9);
    }
}

TEST_CASE("the slope of tanh is 1 at zero and nothing far from it", "[kernels]") {
  on_every_isa([] {
    const float huge = std::numeric_limits<float>::max();
    std::vector<float> x = {0.0f, -0.0f, 200.0f, -200.0f, huge, -huge}, dy(x.size(), 1.0f);
    activate_backward(activation_kind::tanh, x, dy);
    CHECK(dy[0] == 1);
    CHECK(dy[1] == 1);
    for (size_t i = 2; i < dy.size(); ++i) CHECK(std::abs(dy[i]) < 1e-30f);
    return dy;
  });
}

TEST_CASE("slopes far from zero are exactly 0 and 1, and those at zero are between", "[kernels]") {
  on_every_isa([] {
    const float huge = std::numeric_limits<float>::max();
    std::vector<float> all;
    for (const activation_kind kind : all_activations) {
      if (kind == activation_kind::tanh) continue; // It is flat on both sides.
      INFO("kind " << int(kind));
      for (const float far : {200.0f, 1e10f, 1.9e19f, 1e30f, huge}) {
        std::vector<float> x = {far, -far}, dy = {3, 3}, gate = x, up = {0.5f, 0.5f};
        activate_backward(kind, x, dy);
        activate_gated_backward(kind, gate, up, std::vector<float>{1, 1});
        INFO("far " << far);
        REQUIRE(dy[0] == 3);
        REQUIRE(std::abs(dy[1]) == 0);
        REQUIRE(gate[0] == 0.5f);
        REQUIRE(std::abs(gate[1]) == 0);
        REQUIRE(up[0] == far);
        REQUIRE(std::abs(up[1]) == 0);
        for (const auto* row : {&dy, &gate, &up}) append(all, *row);
      }
      std::vector<float> x = {0.0f, -0.0f, 1e-40f, -1e-40f}, dy(4, 1.0f);
      activate_backward(kind, x, dy);
      const float at_zero = kind == activation_kind::relu ? 0.0f : 0.5f;
      REQUIRE(dy[0] == at_zero);
      REQUIRE(dy[1] == at_zero);
      REQUIRE(dy[2] == (kind == activation_kind::relu ? 1.0f : 0.5f));
      REQUIRE(dy[3] == at_zero);
      append(all, dy);
    }
    return all;
  });
}

TEST_CASE("gradients of every length touch their elements and no other", "[kernels]") {
  on_every_isa([] {
    random_bits random(204);
    std::vector<float> all;
    for (uint32_t n = 0; n <= 70; ++n) {
      INFO("length " << n);
      const std::vector<float> x = random.units(n, 4.0f), y = random.units(n), z = random.units(n);
      guarded_row slope(y), gate(x), up(y), weights(x), scores(y), logits(x);
      activate_backward(activation_kind::silu, x, slope);
      activate_gated_backward(activation_kind::silu, gate, up, z);
      if (n > 0) softmax(weights);
      softmax_backward(std::span<float>(weights), scores, 0.5f);
      cross_entropy_backward(logits, 5.0f, 0.5f, 0.01f);
      guarded_row w(x), m(y), v(z);
      for (float& value : std::span<float>(v)) value = std::abs(value);
      adam(make_adam_step(0.1, 0.9, 0.99, 1e-8, 0.01, 3, 0.7), w, m, v, z, true);
      for (const auto* row : {&slope, &gate, &up, &weights, &scores, &logits, &w, &m, &v}) append(all, row->values());
      for (uint32_t i = 0; i < n; ++i) {
        REQUIRE(std::abs(slope.values()[i] - double(y[i]) * slope_of(activation_kind::silu, double(x[i]))) < 1e-6);
        REQUIRE(std::abs(logits.values()[i] - 0.5 * (std::exp(double(x[i]) - 5) - 0.01)) < 1e-6);
      }
    }
    return all;
  });
}

TEST_CASE("rows of softmax are those of the formula and sum up to 1, for every length", "[kernels]") {
  on_every_isa([] {
    random_bits random(205);
    std::vector<float> all;
    for (uint32_t n = 1; n <= 70; ++n)
      for (const float size : {0.0f, 1.0f, 30.0f, 1e4f, 1e38f}) {
        guarded_row row(random.units(n, size));
        const doubles expected = softmax_of(widened(std::span<float>(row)));
        softmax(row);
        INFO("length " << n << " size " << size);
        const auto weights = row.values();
        // The difference to the largest is rounded: an error of the exponent is one of the result.
        for (uint32_t i = 0; i < n; ++i)
          REQUIRE(std::abs(double(weights[i]) - expected[i]) <= (6e-7 + 6e-8 * 2 * double(std::min(size, 104.0f))) * expected[i] + 1e-37);
        double sum = 0;
        for (const float weight : weights) sum += double(weight);
        REQUIRE(std::abs(sum - 1) < 5e-7);
        append(all, weights);
      }
    std::vector<float> row(33, -HUGE_VALF);
    row[20] = -3e38f; // The only one that is there.
    softmax(row);
    for (uint32_t i = 0; i < 33; ++i) REQUIRE(row[i] == (i == 20 ? 1.0f : 0.0f));
    return all;
  });
}

TEST_CASE("the gradient of softmax is that of its formula, which is its difference", "[kernels]") {
  random_bits random(206);
  for (const uint32_t n : {1u, 2u, 16u, 23u, 64u, 70u}) {
    const float scale = 0.37f;
    const std::vector<float> scores = random.units(n, 5.0f), dy = random.units(n);
    const doubles weights = softmax_of(widened(scores), double(scale));
    doubles formula;
    for (uint32_t i = 0; i < n; ++i) formula.push_back(double(scale) * weights[i] * (double(dy[i]) - dot(weights, dy)));
    const auto loss = [&](const doubles& at) { return dot(softmax_of(at, double(scale)), dy); };
    const doubles slopes = differences(loss, widened(scores));
    for (uint32_t i = 0; i < n; ++i) REQUIRE(std::abs(formula[i] - slopes[i]) < 1e-9);
    on_every_isa([&] {
      guarded_row row(dy);
      softmax_backward(std::vector<float>(weights.begin(), weights.end()), row, scale);
      require_near(row.values(), formula, 1e-6);
      return row.values();
    });
  }
}

TEST_CASE("the gradients of a row that sums up to 1 sum up to 0", "[kernels]") {
  random_bits random(207);
  std::vector<float> weights = random.units(300, 3.0f), dy = random.units(300);
  softmax(weights);
  softmax_backward(weights, dy, 1);
  double sum = 0;
  for (const float value : dy) sum += double(value);
  REQUIRE(std::abs(sum) < 1e-6);
}

TEST_CASE("sums of logits give the log sum, however they are cut", "[kernels]") {
  on_every_isa([] {
    random_bits random(208);
    std::vector<float> all;
    for (uint32_t n = 1; n <= 200; n += n < 70 ? 1 : 29)
      for (const float size : {0.0f, 1.0f, 50.0f, 1e4f}) {
        std::vector<float> x = random.units(n, size);
        for (float& value : x) value += size / 2;
        const logit_sums whole = sum_logits(x);
        INFO("length " << n << " size " << size);
        double total = 0, magnitude = 0;
        for (const float value : x) {
          total += double(value);
          magnitude += std::abs(double(value));
        }
        REQUIRE(whole.largest == *std::max_element(x.begin(), x.end()));
        REQUIRE(std::abs(double(whole.log_sum()) - log_sum_of(x)) < 2e-6 + 1.2e-7 * std::abs(double(whole.largest)));
        REQUIRE(std::abs(double(whole.total) - total) <= 2e-6 * magnitude);
        logit_sums sums;
        for (uint32_t first = 0, count = 0; first < n; first += count) {
          count = 1 + random.below(n - first);
          sums = sums + sum_logits(std::span(x).subspan(first, count));
        }
        REQUIRE(sums.largest == whole.largest);
        REQUIRE(double(sums.exponentials) == Approx(double(whole.exponentials)).epsilon(3e-6));
        REQUIRE(std::abs(double(sums.total) - double(whole.total)) <= 2e-6 * magnitude);
        for (const float value : {whole.largest, whole.exponentials, whole.total, sums.exponentials, sums.total, sums.log_sum()})
          all.push_back(value);
      }
    return all;
  });
}

TEST_CASE("an empty range of logits adds nothing to others", "[kernels]") {
  const std::vector<float> x = {-5, -3, -4};
  const logit_sums some = sum_logits(x);
  REQUIRE_FALSE(some.is_empty);
  REQUIRE(sum_logits({}).is_empty);
  REQUIRE((logit_sums{} + logit_sums{}).is_empty);
  for (const logit_sums& sum : {some + logit_sums{}, logit_sums{} + some, sum_logits({}) + some}) {
    REQUIRE_FALSE(sum.is_empty);
    REQUIRE(sum.largest == some.largest); // Below 0, where an empty one has 0.
    REQUIRE(sum.exponentials == some.exponentials);
    REQUIRE(sum.total == some.total);
  }
}

TEST_CASE("ranges of logits far apart are added without overflow", "[kernels]") {
  const logit_sums low = sum_logits(std::vector<float>{-1e30f, -1e30f}), high = sum_logits(std::vector<float>{1e30f});
  for (const logit_sums& sum : {low + high, high + low}) {
    REQUIRE(sum.largest == 1e30f);
    REQUIRE(sum.exponentials == 1);
    REQUIRE(sum.log_sum() == 1e30f);
  }
}

TEST_CASE("the gradient of the cross-entropy is the difference of the loss, with smoothing and without", "[kernels]") {
  random_bits random(209);
  for (const uint32_t n : {2u, 16u, 23u, 70u})
    for (const float smoothing : {0.0f, 0.1f, 1.0f}) {
      const std::vector<float> x = random.units(n, 6.0f);
      const uint32_t target = random.below(n);
      const float scale = 0.25f;
      const auto loss = [&](const doubles& at) {
        double top = *std::max_element(at.begin(), at.end()), sum = 0, total = 0;
        for (const double value : at) {
          sum += std::exp(value - top);
          total += value;
        }
        return double(scale) * (top + std::log(sum) - (1 - double(smoothing)) * at[target] - double(smoothing) * total / n);
      };
      const doubles expected = differences(loss, widened(x));
      on_every_isa([&] {
        guarded_row row(x);
        cross_entropy_backward(row, sum_logits(x).log_sum(), scale, smoothing / float(n));
        std::span<float>(row)[target] -= scale * (1 - smoothing);
        require_near(row.values(), expected, 5e-7);
        double sum = 0;
        for (const float value : row.values()) sum += double(value);
        REQUIRE(std::abs(sum) < 1e-6);
        return row.values();
      });
    }
}

TEST_CASE("a row that is not finite gives gradients that are not finite", "[kernels]") {
  on_every_isa([] {
    random_bits random(210);
    for (const float poison : {std::nanf(""), HUGE_VALF, -HUGE_VALF})
      for (const uint32_t n : {1u, 15u, 16u, 37u}) {
        const uint32_t at = random.below(n);
        const auto poisoned = [&](std::vector<float> row) {
          row[at] = poison;
          return row;
        };
        const std::vector<float> clean = random.units(n, 3.0f), weight(n, 1.0f);
        INFO("poison " << poison << " at " << at << " of " << n);
        for (const norm_kind kind : {norm_kind::rms, norm_kind::layer})
          for (const bool in_x : {false, true}) {
            std::vector<float> dx(n), dweight(n), dbias(n);
            normalize_backward({kind, 1e-5f}, weight, in_x ? poisoned(clean) : clean, in_x ? clean : poisoned(clean), dx, dweight, dbias);
            REQUIRE_FALSE(is_finite(dx));
            REQUIRE_FALSE(is_finite(dweight));
          }
        for (const activation_kind kind : all_activations) {
          INFO("kind " << int(kind));
          std::vector<float> dy(n, 1.0f), gate = poisoned(clean), up = clean;
          activate_backward(kind, poisoned(clean), dy);
          for (uint32_t i = 0; i < n; ++i) REQUIRE(std::isfinite(dy[i]) == (i != at));
          dy = poisoned(clean);
          activate_backward(kind, std::vector<float>(n, 1.0f), dy);
          for (uint32_t i = 0; i < n; ++i) REQUIRE(std::isfinite(dy[i]) == (i != at));
          activate_gated_backward(kind, gate, up, clean);
          for (uint32_t i = 0; i < n; ++i) REQUIRE(std::isfinite(gate[i]) == (i != at));
        }
        std::vector<float> row = poisoned(clean);
        if (poison == -HUGE_VALF && n > 1) {
          softmax(row); // A weight of 0, as it is used for what is not seen.
          REQUIRE(is_finite(row));
          REQUIRE(row[at] == 0);
        } else {
          softmax(row);
          for (const float value : row) REQUIRE(std::isnan(value));
          REQUIRE_FALSE(std::isfinite(sum_logits(poisoned(clean)).log_sum()));
          REQUIRE_FALSE(std::isfinite((sum_logits(clean) + sum_logits(poisoned(clean))).log_sum()));
          REQUIRE_FALSE(std::isfinite((sum_logits(poisoned(clean)) + sum_logits(clean)).log_sum()));
        }
        row = poisoned(clean);
        softmax_backward(std::vector<float>(n, 0.5f), row, 1);
        REQUIRE_FALSE(is_finite(row));
      }
    return std::vector<float>{};
  });
}

TEST_CASE("the logarithm is exact to 1e-15, over all of float64", "[kernels]") {
  REQUIRE(logarithm(1.0) == 0);
  double worst = 0;
  const auto check = [&](double x) {
    const long double exact = std::log(static_cast<long double>(x));
    const double error = double(std::abs((static_cast<long double>(logarithm(x)) - exact) / exact));
    worst = std::max(worst, error);
    INFO("x " << x);
    REQUIRE(error < 1e-15);
  };
  random_bits random(211);
  for (int exponent = -1074; exponent < 1024; ++exponent)
    for (int i = 0; i < 4; ++i) {
      const double x = std::ldexp(1 + double(random.next() >> 11) * 0x1p-53, exponent);
      if (x > 0 && x != 1) check(x);
    }
  for (double distance = 1e-16; distance < 0.9; distance *= 1.3)
    for (const double x : {1 + distance, 1 - distance})
      if (x != 1) check(x);
  for (const double x : {std::numeric_limits<double>::denorm_min(), std::numeric_limits<double>::min(),
                         std::numeric_limits<double>::max(), std::numbers::sqrt2, std::numbers::sqrt2 / 2, 2.0, 0.5})
    check(x);
  REQUIRE(worst > 0);
}

TEST_CASE("Adam's updates are those of the formulas over many steps, with decay and without", "[kernels]") {
  for (const double decay : {0.0, 0.1})
    for (const bool decays : {false, true})
      for (const double clip : {1.0, 0.25})
        on_every_isa([&] {
          random_bits random(212);
          const uint32_t n = 53;
          std::vector<float> w = random.units(n), m(n), v(n);
          doubles exact_w = widened(w), exact_m(n), exact_v(n);
          const double rate = 1e-2, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
          for (uint64_t step = 1; step <= 25; ++step) {
            const std::vector<float> g = random.units(n, step % 5 == 0 ? 100.0f : 0.01f);
            adam(make_adam_step(rate, beta1, beta2, epsilon, decay, step, clip), w, m, v, g, decays);
            for (uint32_t i = 0; i < n; ++i) {
              const double gradient = clip * double(g[i]);
              exact_m[i] = beta1 * exact_m[i] + (1 - beta1) * gradient;
              exact_v[i] = beta2 * exact_v[i] + (1 - beta2) * gradient * gradient;
              const double unbiased_m = exact_m[i] / (1 - std::pow(beta1, double(step)));
              const double unbiased_v = exact_v[i] / (1 - std::pow(beta2, double(step)));
              if (decays) exact_w[i] -= rate * decay * exact_w[i];
              exact_w[i] -= rate * unbiased_m / (std::sqrt(unbiased_v) + epsilon);
            }
            INFO("step " << step << " decay " << decay << (decays ? " applied" : "") << " clip " << clip);
            require_near(w, exact_w, 2e-7 * double(step));
            require_near(m, exact_m, 1e-5);
            require_near(v, exact_v, 1e-3);
          }
          append(w, m);
          append(w, v);
          return w;
        });
}

TEST_CASE("Adam's first step is the rate in the direction of the gradient, whatever its size", "[kernels]") {
  on_every_isa([] {
    std::vector<float> w(6), m(6), v(6), g = {1.0f, -1.0f, 1e-4f, -1e10f, 1e17f, 0.0f};
    adam(make_adam_step(0.5, 0.9, 0.999, 1e-12, 0, 1, 1), w, m, v, g, true);
    const float expected[] = {-0.5f, 0.5f, -0.5f, 0.5f, -0.5f, 0};
    for (size_t i = 0; i < 6; ++i) REQUIRE(std::abs(w[i] - expected[i]) < 1e-6f);
    g[2] = std::nanf("");
    adam(make_adam_step(0.5, 0.9, 0.999, 1e-12, 0, 2, 1), w, m, v, g, true);
    for (size_t i = 0; i < 6; ++i) REQUIRE(std::isfinite(w[i]) == (i != 2));
    append(w, m);
    return w;
  });
}

TEST_CASE("the corrections of Adam's moments are powers, at late steps too", "[kernels]") {
  for (const uint64_t step : {1u, 2u, 3u, 1000u, 1'000'000u, 4'000'000'000u}) {
    const adam_step one = make_adam_step(1e-3, 0.9, 0.999, 1e-8, 0.01, step, 0.5);
    INFO("step " << step);
    REQUIRE(double(one.rate_by_correction1) == Approx(1e-3 / (1 - std::pow(0.9, double(step)))).epsilon(1e-7));
    REQUIRE(double(one.root_correction2) == Approx(std::sqrt(1 - std::pow(0.999, double(step)))).epsilon(1e-7));
    REQUIRE(one.kept == float(1 - 1e-5));
    REQUIRE(one.one_minus_beta2 == float(1 - 0.999));
    REQUIRE(one.gradient_scale == 0.5f);
  }
  REQUIRE_THROWS_AS(make_adam_step(1e-3, 0.9, 0.999, 1e-8, 0, 0, 1), broken_invariant);
}

TEST_CASE("gradients refuse rows that do not fit", "[kernels]") {
  std::vector<float> five(5), six(6), row(5);
  const norm_spec spec;
  REQUIRE_THROWS_AS(normalize_backward(spec, six, five, five, row, row, {}), broken_invariant);
  REQUIRE_THROWS_AS(normalize_backward(spec, five, five, five, row, row, six), broken_invariant);
  REQUIRE_THROWS_AS(activate_backward(activation_kind::relu, six, row), broken_invariant);
  REQUIRE_THROWS_AS(activate_gated_backward(activation_kind::relu, six, row, five), broken_invariant);
  REQUIRE_THROWS_AS(softmax({}), broken_invariant);
  REQUIRE_THROWS_AS(softmax_backward(six, row, 1), broken_invariant);
  REQUIRE_THROWS_AS(adam({}, row, row, row, six, true), broken_invariant);
}
