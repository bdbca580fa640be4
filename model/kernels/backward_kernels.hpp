// Gradients and the optimiser's update on the vectors of one instruction set: rowwise_kernels.hpp comes first.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <cmath>

namespace troupe::TROUPE_ISA {

/// Calls function(offset, load, store) for every run of 16 elements; load(p) and store(p, x) only touch what exists.
template <class Function>
TROUPE_INLINE void each_vector(uint64_t count, Function function) {
  uint64_t i = 0;
  for (; i + 16 <= count; i += 16)
    function(i, [&](const float* p) TROUPE_LAMBDA { return load(p + i); },
             [&](float* p, f32x16 x) TROUPE_LAMBDA { store(p + i, x); });
  if (const auto rest = uint32_t(count - i); rest > 0)
    function(i, [&](const float* p) TROUPE_LAMBDA { return load_first(p + i, rest); },
             [&](float* p, f32x16 x) TROUPE_LAMBDA { store_first(p + i, x, rest); });
}

/// Lanes beyond the end are 0 in everything that is loaded, so they add nothing to the sums: g and u have dy as a factor, or are
/// multiplied by g.
void normalize_backward(const norm_spec& spec, const float* weight, const float* x, const float* dy, float* dx, float* dweight,
                        float* dbias, uint32_t columns) {
  float mean = 0;
  if (spec.kind == norm_kind::layer) {
    f32x16 sum = zero_floats();
    each_run(columns, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA { sum = sum + load_first(x + i, n); });
    mean = sum_of_lanes(sum) / float(columns);
  }
  const float mean_square = sum_of_squares(x, columns, mean) / float(columns);
  const f32x16 inverse = all_lanes(1.0f / std::sqrt(mean_square + spec.epsilon));
  f32x16 sum_g = zero_floats(), sum_gu = zero_floats();
  each_vector(columns, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA {
    const f32x16 d = get(dy), unit = (get(x) - all_lanes(mean)) * inverse, g = d * get(weight);
    sum_g = sum_g + g;
    sum_gu = fma(g, unit, sum_gu);
    put(dweight, fma(d, unit, get(dweight)));
    if (dbias != nullptr) put(dbias, get(dbias) + d);
  });
  const f32x16 mean_g = all_lanes(spec.kind == norm_kind::layer ? sum_of_lanes(sum_g) / float(columns) : 0.0f);
  const f32x16 mean_gu = all_lanes(sum_of_lanes(sum_gu) / float(columns));
  each_vector(columns, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA {
    const f32x16 unit = (get(x) - all_lanes(mean)) * inverse, g = get(dy) * get(weight);
    put(dx, fma(g - mean_g - unit * mean_gu, inverse, get(dx)));
  });
}

/// act(x) and act'(x).
struct value_and_slope {
  f32x16 value, slope;
};
template <activation_kind Kind>
TROUPE_INLINE value_and_slope activation_slope(f32x16 x) {
  const f32x16 one = all_lanes(1.0f), zero = zero_floats();
  if constexpr (Kind == activation_kind::relu) {
    // 0 - max(0, x) is negative, or +0 for x <= 0. x - x is 0, or NaN where x is not finite, which shall show.
    return {max(zero, x), select_negative(zero - max(zero, x), one, zero) + (x - x)};
  } else if constexpr (Kind == activation_kind::silu) {
    const f32x16 s = one / (one + exponential(zero - x));
    return {x * s, s * fma(x, one - s, one)};
  } else if constexpr (Kind == activation_kind::gelu_tanh) {
    const f32x16 square = x * x;
    const f32x16 cubic = fma(square * x, all_lanes(0.044715f), x);
    const f32x16 s = one / (one + exponential(cubic * all_lanes(-2 * 0.7978845608f)));
    // Where x² overflows s (1 - s) is 0, and 0 times infinity would be NaN.
    const f32x16 inner = fma(min(all_lanes(1e30f), square), all_lanes(3 * 0.044715f), one) * all_lanes(2 * 0.7978845608f);
    return {x * s, fma(x * s * (one - s), inner, s)};
  } else if constexpr (Kind == activation_kind::tanh) { // 1 - tanh² = 4 s (1 - s) with s = 1 / (1 + e^2x).
    const f32x16 s = one / (one + exponential(x + x));
    // x - x as above: at an infinity the slope is 0, which would hide it.
    return {fma(all_lanes(-2.0f), s, one), all_lanes(4.0f) * s * (one - s) + (x - x)};
  } else { // Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π).
    const f32x16 magnitude = max(x, zero - x);
    const f32x16 tail = erfc_of_root_half(magnitude) * all_lanes(0.5f);
    const f32x16 share = select_negative(x, tail, one - tail);
    const f32x16 density = exponential(x * x * all_lanes(-0.5f)) * all_lanes(0.3989422804f);
    return {x * share, fma(x, density, share)};
  }
}

void activate_backward(activation_kind kind, const float* x, float* dy, uint32_t columns) {
  with_activation(kind, [&](auto fixed) {
    each_vector(columns, [&](uint64_t, auto get, auto put)
                             TROUPE_LAMBDA { put(dy, get(dy) * activation_slope<fixed>(get(x)).slope); });
  });
}

void activate_gated_backward(activation_kind kind, float* gate, float* up, const float* dy, uint32_t columns) {
  with_activation(kind, [&](auto fixed) {
    each_vector(columns, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA {
      const value_and_slope act = activation_slope<fixed>(get(gate));
      const f32x16 d = get(dy), u = get(up);
      put(gate, d * u * act.slope);
      put(up, d * act.value);
    });
  });
}

TROUPE_INLINE float largest_of(const float* x, uint32_t count) {
  f32x16 most = all_lanes(x[0]);
  uint32_t i = 0;
  for (; i + 16 <= count; i += 16) most = max(most, load(x + i));
  for (; i < count; ++i) most = max(most, all_lanes(x[i]));
  return max_of_lanes(most);
}

/// e^(x - top) for `rest` < 16 elements, 0 in the other lanes.
TROUPE_INLINE f32x16 exponential_of_rest(const float* x, uint32_t rest, float top) {
  float values[16];
  for (uint32_t i = 0; i < 16; ++i) values[i] = i < rest ? x[i] - top : -200.0f;
  return exponential(load(values));
}

void softmax_of_row(float* x, uint32_t count) {
  const float top = largest_of(x, count);
  f32x16 sum = zero_floats();
  uint32_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const f32x16 e = exponential(load(x + i) - all_lanes(top));
    store(x + i, e);
    sum = sum + e;
  }
  if (i < count) {
    const f32x16 e = exponential_of_rest(x + i, count - i, top);
    store_first(x + i, e, count - i);
    sum = sum + e;
  }
  const f32x16 inverse = all_lanes(1.0f / sum_of_lanes(sum));
  each_vector(count, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA { put(x, get(x) * inverse); });
}

void softmax_backward(const float* weights, float* dy, uint32_t count, float scale) {
  f32x16 sum = zero_floats();
  each_vector(count, [&](uint64_t, auto get, auto) TROUPE_LAMBDA { sum = fma(get(weights), get(dy), sum); });
  const f32x16 dot = all_lanes(sum_of_lanes(sum)), factor = all_lanes(scale);
  each_vector(count, [&](uint64_t, auto get, auto put)
                         TROUPE_LAMBDA { put(dy, get(weights) * factor * (get(dy) - dot)); });
}

logit_sums sum_logits(const float* x, uint32_t count) {
  const float top = largest_of(x, count);
  f32x16 exponentials = zero_floats(), total = zero_floats();
  uint32_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const f32x16 value = load(x + i);
    exponentials = exponentials + exponential(value - all_lanes(top));
    total = total + value;
  }
  if (i < count) {
    exponentials = exponentials + exponential_of_rest(x + i, count - i, top);
    total = total + load_first(x + i, count - i);
  }
  return {top, sum_of_lanes(exponentials), sum_of_lanes(total), false};
}

void cross_entropy_backward(float* x, uint32_t count, float log_sum, float scale, float each) {
  const f32x16 by = all_lanes(scale), less = all_lanes(each), top = all_lanes(log_sum);
  each_vector(count, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA { put(x, (exponential(get(x) - top) - less) * by); });
}

void adam(const adam_step& step, float* w, float* m, float* v, const float* g, uint64_t count, bool decays) {
  const f32x16 kept = all_lanes(decays ? step.kept : 1.0f), scale = all_lanes(step.gradient_scale);
  const f32x16 beta1 = all_lanes(step.beta1), beta2 = all_lanes(step.beta2);
  const f32x16 new1 = all_lanes(step.one_minus_beta1), new2 = all_lanes(step.one_minus_beta2);
  const f32x16 rate = all_lanes(step.rate_by_correction1), root = all_lanes(step.root_correction2);
  const f32x16 epsilon = all_lanes(step.epsilon);
  each_vector(count, [&](uint64_t, auto get, auto put) TROUPE_LAMBDA {
    const f32x16 gradient = get(g) * scale;
    const f32x16 first = fma(gradient, new1, get(m) * beta1);
    const f32x16 second = fma(gradient * gradient, new2, get(v) * beta2);
    put(m, first);
    put(v, second);
    put(w, get(w) * kept - rate * first / (square_root(second) / root + epsilon));
  });
}

} // namespace troupe::TROUPE_ISA
