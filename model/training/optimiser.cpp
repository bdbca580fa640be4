#include "model/training/optimiser.hpp"
#include <algorithm>
#include <cmath>

namespace troupe {

double rate_schedule::at(uint64_t step) const {
  const double t = double(std::min(step, std::max(steps, warmup)));
  const double before = double(warmup);
  if (kind == schedule_kind::inverse_square_root) {
    const double w = std::max(before, 1.0);
    return peak * std::sqrt(w) * std::min(1 / std::sqrt(double(step)), double(step) / (w * std::sqrt(w)));
  }
  if (t <= before) return peak * t / before;
  if (kind == schedule_kind::constant) return peak;
  const double share = steps > warmup ? (t - before) / (double(steps) - before) : 1;
  if (kind == schedule_kind::linear) return peak + (lowest - peak) * share;
  return lowest + (peak - lowest) / 2 * (1 + std::cos(3.14159265358979323846 * share));
}

double gradient_scale(const optimiser_options& options, double norm) {
  return options.clip_norm > 0 && norm > options.clip_norm ? options.clip_norm / (norm + 1e-6) : 1;
}

adam_step make_adam_step(const optimiser_options& options, const rate_schedule& schedule, uint64_t step, double norm) {
  return make_adam_step(schedule.at(step), options.beta1, options.beta2, options.epsilon, options.decay, step,
                        gradient_scale(options, norm));
}

} // namespace troupe
