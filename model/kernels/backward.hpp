#pragma once
// The gradients of the row-wise operations (rowwise.hpp), the softmax of training, and the optimiser's update. dx is the gradient of
// the loss by x. A row's result depends on that row only; gradients of weights, which are sums over rows, are added row by row in the
// order of the calls. Sums within a row run over 16 fixed lanes, added in one fixed order, on every instruction set. Spans of
// different arguments must not overlap. An input that is not finite gives results that are not finite, except that a weight of
// softmax is 0 where an input is -infinity.
#include "model/spec.hpp"
#include <cstdint>
#include <span>

namespace troupe {

/// Of y = normalize(x). With u = (x - mean) / deviation (RMS: mean = 0) and g = dy * weight:
///   dx += (g - mean(g) - u * mean(g * u)) / deviation   (RMS: without mean(g));   dweight += dy * u;   dbias += dy.
/// All: [columns]; dbias may be empty.
void normalize_backward(const norm_spec& spec, std::span<const float> weight, std::span<const float> x,
                        std::span<const float> dy, std::span<float> dx, std::span<float> dweight, std::span<float> dbias);

/// Of y = act(x): dy *= act'(x), which makes it dx.
void activate_backward(activation_kind kind, std::span<const float> x, std::span<float> dy);

/// Of y = act(gate) * up: gate and up become their gradients, dy * up * act'(gate) and dy * act(gate).
void activate_gated_backward(activation_kind kind, std::span<float> gate, std::span<float> up, std::span<const float> dy);

/// x = softmax(x), e^x divided by the sum of all e^x: at least one element. "Attention Is All You Need" §3.2.1.
void softmax(std::span<float> x);

/// Of weights = softmax(scale * s): dy, the gradient by the weights, becomes that by s: scale * weights * (dy - sum(weights * dy)).
void softmax_backward(std::span<const float> weights, std::span<float> dy, float scale);

/// What the cross-entropy of a row needs of some of its logits. Those of several ranges are put together by `+`, in the order of
/// the ranges.
struct logit_sums {
  float largest = 0, exponentials = 0, total = 0; // max x, sum of e^(x - largest), sum of x.
  bool is_empty = true;                           // Of no logits: adds nothing, and has no log_sum.
  friend logit_sums operator+(const logit_sums& a, const logit_sums& b);
  /// log sum e^x.
  float log_sum() const;
};
logit_sums sum_logits(std::span<const float> x);

/// Of the cross-entropy of a row with logits x: x becomes scale * (e^(x - log_sum) - each), where `each` is what label smoothing
/// gives to every class. The caller subtracts scale * (1 - smoothing) from the target's.
void cross_entropy_backward(std::span<float> x, float log_sum, float scale, float each);

/// One update of Adam (Kingma and Ba 2015, algorithm 1), or of AdamW (Loshchilov and Hutter 2019, algorithm 2) where there is decay:
///   w *= 1 - rate * decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g²;
///   w -= rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon),   correction = 1 - beta^step, each with its beta.
/// g is multiplied by gradient_scale first: the factor of clipping. epsilon > 0.
struct adam_step {
  float beta1 = 0, beta2 = 0, epsilon = 0;
  float kept = 1; // 1 - rate * decay.
  float one_minus_beta1 = 0, one_minus_beta2 = 0; // Rounded from float64.
  float rate_by_correction1 = 0, root_correction2 = 0;
  float gradient_scale = 1;
};
/// step: from 1.
adam_step make_adam_step(double rate, double beta1, double beta2, double epsilon, double decay, uint64_t step,
                         double gradient_scale);
/// decays: whether these weights are subject to decay. w: weights; m, v: the moments, 0 before the first step; g: gradients. All of
/// one size.
void adam(const adam_step& step, std::span<float> w, std::span<float> m, std::span<float> v, std::span<const float> g, bool decays);

} // namespace troupe
