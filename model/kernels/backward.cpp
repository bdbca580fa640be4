// Checks and dispatch of the gradients; the arithmetic is in backward_kernels.hpp.
#include "model/kernels/backward.hpp"
#include "model/error.hpp"
#include "model/kernels/exponential.hpp"
#include "model/kernels/kernel_table.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {

void normalize_backward(const norm_spec& spec, std::span<const float> weight, std::span<const float> x,
                        std::span<const float> dy, std::span<float> dx, std::span<float> dweight, std::span<float> dbias) {
  for (const size_t size : {weight.size(), dy.size(), dx.size(), dweight.size()}) TROUPE_ASSERT(size == x.size());
  TROUPE_ASSERT(dbias.empty() || dbias.size() == x.size());
  if (x.empty()) return;
  current_kernels().normalize_backward(spec, weight.data(), x.data(), dy.data(), dx.data(), dweight.data(),
                                       dbias.empty() ? nullptr : dbias.data(), uint32_t(x.size()));
}

void activate_backward(activation_kind kind, std::span<const float> x, std::span<float> dy) {
  TROUPE_ASSERT(x.size() == dy.size());
  current_kernels().activate_backward(kind, x.data(), dy.data(), uint32_t(x.size()));
}

void activate_gated_backward(activation_kind kind, std::span<float> gate, std::span<float> up, std::span<const float> dy) {
  TROUPE_ASSERT(gate.size() == dy.size());
  TROUPE_ASSERT(up.size() == dy.size());
  current_kernels().activate_gated_backward(kind, gate.data(), up.data(), dy.data(), uint32_t(dy.size()));
}

void softmax(std::span<float> x) {
  TROUPE_ASSERT(!x.empty());
  current_kernels().softmax(x.data(), uint32_t(x.size()));
}

void softmax_backward(std::span<const float> weights, std::span<float> dy, float scale) {
  TROUPE_ASSERT(weights.size() == dy.size());
  current_kernels().softmax_backward(weights.data(), dy.data(), uint32_t(dy.size()), scale);
}

logit_sums operator+(const logit_sums& a, const logit_sums& b) {
  if (a.is_empty) return b;
  if (b.is_empty) return a;
  logit_sums sum{std::max(a.largest, b.largest), 0, a.total + b.total, false};
  sum.exponentials = float(double(a.exponentials) * exponential(double(a.largest) - double(sum.largest)) +
                           double(b.exponentials) * exponential(double(b.largest) - double(sum.largest)));
  return sum;
}

float logit_sums::log_sum() const { return float(double(largest) + logarithm(double(exponentials))); }

logit_sums sum_logits(std::span<const float> x) {
  return x.empty() ? logit_sums{} : current_kernels().sum_logits(x.data(), uint32_t(x.size()));
}

void cross_entropy_backward(std::span<float> x, float log_sum, float scale, float each) {
  current_kernels().cross_entropy_backward(x.data(), uint32_t(x.size()), log_sum, scale, each);
}

adam_step make_adam_step(double rate, double beta1, double beta2, double epsilon, double decay, uint64_t step,
                         double gradient_scale) {
  TROUPE_ASSERT(step > 0);
  // Powers by multiplication: the same bits everywhere.
  double power1 = 1, power2 = 1, base1 = beta1, base2 = beta2;
  for (uint64_t n = step; n > 0; n /= 2, base1 *= base1, base2 *= base2)
    if (n % 2 == 1) {
      power1 *= base1;
      power2 *= base2;
    }
  adam_step result;
  result.beta1 = float(beta1);
  result.beta2 = float(beta2);
  result.epsilon = float(epsilon);
  result.kept = float(1 - rate * decay);
  result.one_minus_beta1 = float(1 - beta1);
  result.one_minus_beta2 = float(1 - beta2);
  result.rate_by_correction1 = float(rate / (1 - power1));
  result.root_correction2 = float(std::sqrt(1 - power2));
  result.gradient_scale = float(gradient_scale);
  return result;
}

void adam(const adam_step& step, std::span<float> w, std::span<float> m, std::span<float> v, std::span<const float> g,
          bool decays) {
  for (const size_t size : {m.size(), v.size(), g.size()}) TROUPE_ASSERT(size == w.size());
  current_kernels().adam(step, w.data(), m.data(), v.data(), g.data(), w.size(), decays);
}

} // namespace troupe
