#pragma once
// How a training run goes from gradients to weights: learning rate, clipping, Adam.
#include "model/kernels/backward.hpp"
#include <cstdint>

namespace troupe {

enum class schedule_kind : uint8_t { constant, linear, cosine, inverse_square_root };

/// The learning rate of step t = 1, 2, ... Up to step `warmup` it is peak * t / warmup, then:
///   constant             peak
///   linear               peak + (lowest - peak) * (t - warmup) / (steps - warmup)
///   cosine               lowest + (peak - lowest) / 2 * (1 + cos(pi * (t - warmup) / (steps - warmup)))
///   inverse_square_root  peak * sqrt(max(warmup, 1)) * min(t^-1/2, t * warmup^-3/2): "Attention Is All You Need", eq. 3, where
///                        peak = width^-1/2 * warmup^-1/2
/// After `steps` the rate stays what it was there (at the peak, where the warm-up is not shorter than `steps`), except the inverse
/// square root's, which has no end and uses neither `steps` nor `lowest`.
struct rate_schedule {
  schedule_kind kind = schedule_kind::cosine;
  double peak = 3e-4, lowest = 0;
  uint64_t warmup = 0, steps = 1;
  double at(uint64_t step) const;
};

struct optimiser_options {
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
  double decay = 0;     // Of matrices (AdamW); 0: Adam.
  double clip_norm = 0; // Gradients are scaled down to this Euclidean norm where theirs is larger; 0: never.
};

/// The factor for gradients of this norm: clip_norm / (norm + 1e-6), or 1.
double gradient_scale(const optimiser_options& options, double norm);

/// step: from 1.
adam_step make_adam_step(const optimiser_options& options, const rate_schedule& schedule, uint64_t step, double norm);

} // namespace troupe
