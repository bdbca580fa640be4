// Row-wise operations on the vectors of one instruction set: simd_*.hpp comes first.
#pragma once
#include "model/kernels/kernel_arguments.hpp"
#include <cmath>

namespace troupe::TROUPE_ISA {

/// Calls function(offset, lanes) for every run of 16 elements; the last may have fewer.
template <class Function>
TROUPE_INLINE void each_run(uint32_t count, Function function) {
  for (uint32_t i = 0; i < count; i += 16) function(i, count - i < 16 ? count - i : 16u);
}

/// 2^n for n in [-126, 127].
TROUPE_INLINE f32x16 power_of_two(i32x16 n) { return float_of_bits(shift_left<23>(n + all_lanes(127))); }

/// e^x within about 1 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, e^r by its Taylor series (the first term left out
/// is below 2^-27). 0 below -104, infinity above 89, subnormals between; NaN stays NaN.
TROUPE_INLINE f32x16 exponential(f32x16 x) {
  x = min(all_lanes(89.0f), max(all_lanes(-104.0f), x)); // In this order of arguments NaN passes.
  const i32x16 n = round_to_int(x * all_lanes(0x1.715476p+0f));
  const f32x16 whole = to_float(n);
  // ln 2 in two parts; the first has few enough bits for an exact product.
  f32x16 r = fma(whole, all_lanes(-0x1.62e4p-1f), x);
  r = fma(whole, all_lanes(-0x1.7f7d1cp-20f), r);
  f32x16 sum = all_lanes(1.0f / 5040);
  sum = fma(sum, r, all_lanes(1.0f / 720));
  sum = fma(sum, r, all_lanes(1.0f / 120));
  sum = fma(sum, r, all_lanes(1.0f / 24));
  sum = fma(sum, r, all_lanes(1.0f / 6));
  sum = fma(sum, r, all_lanes(0.5f));
  sum = fma(sum, r, all_lanes(1.0f));
  sum = fma(sum, r, all_lanes(1.0f));
  const i32x16 half = shift_right<1>(n); // Two steps: 2^n itself may be subnormal or too large.
  return sum * power_of_two(half) * power_of_two(n - half);
}

/// erfc(x / √2) for x >= 0. With z = x / √2: erfc(z) = e^(-z²) t P(t), t = 1 / (1 + z / 2), where P is a
/// polynomial fitted at Chebyshev nodes to erfc(z) e^(z²) / t for t in [0.155, 1] (beyond, erfc is 0 in
/// float32), relative error 6e-9.
TROUPE_INLINE f32x16 erfc_of_root_half(f32x16 x) {
  constexpr float coefficients[] = {0.0342794099929f,  -0.182905102796f, 0.362204880136f,  -0.263851005174f,
                                    -0.0434567889477f, 0.0469987187397f, 0.0508370043396f, 0.186478416698f,
                                    0.245066606364f,   0.282259477114f,  0.282088385851f};
  const f32x16 t = all_lanes(1.0f) / fma(x, all_lanes(0.5f * 0.70710678f), all_lanes(1.0f));
  f32x16 sum = zero_floats();
  for (const float coefficient : coefficients) sum = fma(sum, t, all_lanes(coefficient));
  // z² = x²/2 in two parts: an error in the exponent is an error of the result. Beyond 15 the result is 0
  // anyway.
  const f32x16 clamped = min(all_lanes(15.0f), x), half = clamped * all_lanes(0.5f);
  const f32x16 square = half * clamped;
  const f32x16 rest = fma(half, clamped, zero_floats() - square);
  const f32x16 power = exponential(zero_floats() - square);
  return fma(zero_floats() - power, rest, power) * (t * sum);
}

template <activation_kind Kind>
TROUPE_INLINE f32x16 activation(f32x16 x) {
  const f32x16 one = all_lanes(1.0f);
  if constexpr (Kind == activation_kind::relu) {
    return max(zero_floats(), x);
  } else if constexpr (Kind == activation_kind::silu) {
    return x / (one + exponential(zero_floats() - x));
  } else if constexpr (Kind == activation_kind::gelu_tanh) {
    // (1 + tanh y) / 2 = 1 / (1 + e^(-2y)), which does not cancel for negative y.
    const f32x16 cubic = fma(x * x * x, all_lanes(0.044715f), x);
    return x / (one + exponential(cubic * all_lanes(-2 * 0.7978845608f)));
  } else if constexpr (Kind == activation_kind::tanh) { // 1 - 2 / (1 + e^2x).
    return fma(all_lanes(-2.0f), one / (one + exponential(x + x)), one);
  } else { // x Φ(x), Φ(x) = erfc(-x / √2) / 2.
    const f32x16 magnitude = max(x, zero_floats() - x);
    const f32x16 tail = erfc_of_root_half(magnitude) * all_lanes(0.5f);
    return x * select_negative(x, tail, one - tail);
  }
}

template <class Function>
void with_activation(activation_kind kind, Function&& function) {
  switch (kind) {
  case activation_kind::relu:
    return function(std::integral_constant<activation_kind, activation_kind::relu>{});
  case activation_kind::silu:
    return function(std::integral_constant<activation_kind, activation_kind::silu>{});
  case activation_kind::gelu_tanh:
    return function(std::integral_constant<activation_kind, activation_kind::gelu_tanh>{});
  case activation_kind::gelu_erf:
    return function(std::integral_constant<activation_kind, activation_kind::gelu_erf>{});
  case activation_kind::tanh:
    return function(std::integral_constant<activation_kind, activation_kind::tanh>{});
  }
}

void activate(activation_kind kind, float* x, uint32_t columns) {
  with_activation(kind, [&](auto fixed) {
    each_run(columns, [&](uint32_t i, uint32_t n)
                          TROUPE_LAMBDA { store_first(x + i, activation<fixed>(load_first(x + i, n)), n); });
  });
}

void activate_gated(activation_kind kind, float* gate, const float* up, uint32_t columns) {
  with_activation(kind, [&](auto fixed) {
    each_run(columns, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA {
      store_first(gate + i, activation<fixed>(load_first(gate + i, n)) * load_first(up + i, n), n);
    });
  });
}

void add(float* x, const float* y, uint32_t columns) {
  each_run(columns, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA {
    store_first(x + i, load_first(x + i, n) + load_first(y + i, n), n);
  });
}

/// Σ (x - mean)²; lanes beyond the end add nothing.
TROUPE_INLINE float sum_of_squares(const float* x, uint32_t columns, float mean) {
  f32x16 sum = zero_floats();
  const uint32_t whole = columns / 16 * 16;
  for (uint32_t i = 0; i < whole; i += 16) {
    const f32x16 d = load(x + i) - all_lanes(mean);
    sum = fma(d, d, sum);
  }
  if (whole < columns) {
    const uint32_t rest = columns - whole;
    float means[16] = {};
    for (uint32_t i = 0; i < rest; ++i) means[i] = mean;
    const f32x16 d = load_first(x + whole, rest) - load(means);
    sum = fma(d, d, sum);
  }
  return sum_of_lanes(sum);
}

void normalize(const norm_spec& spec, const float* weight, const float* bias, const float* x, float* out,
               uint32_t columns) {
  float mean = 0;
  if (spec.kind == norm_kind::layer) {
    f32x16 sum = zero_floats();
    each_run(columns, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA { sum = sum + load_first(x + i, n); });
    mean = sum_of_lanes(sum) / float(columns);
  }
  const float mean_square = sum_of_squares(x, columns, mean) / float(columns);
  const f32x16 inverse = all_lanes(1.0f / std::sqrt(mean_square + spec.epsilon));
  each_run(columns, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA {
    const f32x16 unit = (load_first(x + i, n) - all_lanes(mean)) * inverse;
    const f32x16 w = load_first(weight + i, n);
    store_first(out + i, bias != nullptr ? fma(unit, w, load_first(bias + i, n)) : unit * w, n);
  });
}

/// (a, b) -> (a cos - b sin, b cos + a sin); of each the first product is rounded, the second fused to it.
void rotate_interleaved(float* head, const float* cosines, const float* sines, uint32_t pairs) {
  uint32_t i = 0;
  for (; i + 8 <= pairs; i += 8) {
    const f32x16 x = load(head + 2 * i);
    store(head + 2 * i,
          fma(swap_pairs(x), negate_even(load_each_twice(sines + i)), x * load_each_twice(cosines + i)));
  }
  for (; i < pairs; ++i) {
    const float a = head[2 * i], b = head[2 * i + 1];
    head[2 * i] = __builtin_fmaf(b, -sines[i], a * cosines[i]);
    head[2 * i + 1] = __builtin_fmaf(a, sines[i], b * cosines[i]);
  }
}

void rotate_halves(float* head, const float* cosines, const float* sines, uint32_t pairs) {
  each_run(pairs, [&](uint32_t i, uint32_t n) TROUPE_LAMBDA {
    const f32x16 a = load_first(head + i, n), b = load_first(head + pairs + i, n);
    const f32x16 c = load_first(cosines + i, n), s = load_first(sines + i, n);
    store_first(head + i, fma(b, zero_floats() - s, a * c), n);
    store_first(head + pairs + i, fma(a, s, b * c), n);
  });
}

float largest(const float* x, uint64_t count) {
  f32x16 most = all_lanes(x[0]);
  uint64_t i = 0;
  for (; i + 16 <= count; i += 16) most = max(most, load(x + i));
  for (; i < count; ++i) most = max(most, all_lanes(x[i]));
  return max_of_lanes(most);
}

bool is_finite(const float* x, uint64_t count) {
  i32x16 largest = all_lanes(0);
  const i32x16 magnitudes = all_lanes(0x7fffffff);
  uint64_t i = 0;
  for (; i + 16 <= count; i += 16) largest = max(largest, bits_of(load(x + i)) & magnitudes);
  if (i < count) largest = max(largest, bits_of(load_first(x + i, uint32_t(count - i))) & magnitudes);
  return max_of_lanes(largest) < 0x7f800000;
}

void to_halves(const float* x, uint16_t* halves, uint32_t count) {
  uint32_t i = 0;
  for (; i + 16 <= count; i += 16) store_half(halves + i, load(x + i));
  if (i < count) store_half(halves + i, load_first(x + i, count - i));
}

} // namespace troupe::TROUPE_ISA
