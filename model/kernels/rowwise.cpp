// Checks and dispatch of the row-wise operations; the arithmetic is in rowwise_kernels.hpp.
#include "model/kernels/rowwise.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"
#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace troupe {

void normalize(const norm_spec& spec, std::span<const float> weight, std::span<const float> bias,
               std::span<const float> x, std::span<float> out) {
  TROUPE_ASSERT(weight.size() == x.size());
  TROUPE_ASSERT(out.size() == x.size());
  TROUPE_ASSERT(bias.empty() || bias.size() == x.size());
  if (x.empty())
    return;
  current_kernels().normalize(spec, weight.data(), bias.empty() ? nullptr : bias.data(), x.data(), out.data(),
                              uint32_t(x.size()));
}

void activate(activation_kind kind, std::span<float> x) {
  current_kernels().activate(kind, x.data(), uint32_t(x.size()));
}

void activate_gated(activation_kind kind, std::span<float> gate, std::span<const float> up) {
  TROUPE_ASSERT(gate.size() == up.size());
  current_kernels().activate_gated(kind, gate.data(), up.data(), uint32_t(gate.size()));
}

void add(std::span<float> x, std::span<const float> y) {
  TROUPE_ASSERT(x.size() == y.size());
  current_kernels().add(x.data(), y.data(), uint32_t(x.size()));
}

float largest(std::span<const float> x) {
  TROUPE_ASSERT(!x.empty());
  return current_kernels().largest(x.data(), x.size());
}

bool is_finite(std::span<const float> x) { return current_kernels().is_finite(x.data(), x.size()); }

uint32_t sum_of_bits(std::span<const float> x) {
  return current_kernels().sum_words(reinterpret_cast<const uint8_t*>(x.data()), x.size_bytes());
}

namespace {

/// The number of the pair that turns `turns` times within the original context, as if there were pairs between pairs.
double pair_that_turns(double turns, const rope_spec& spec) {
  const double wave_length = double(spec.yarn->original_context) / turns;
  return spec.dimensions * std::log(wave_length / (2 * std::numbers::pi)) / (2 * std::log(double(spec.base)));
}

/// What YaRN multiplies the frequency of a pair by.
double yarn_share(const rope_spec& spec, uint32_t pair) {
  const yarn_spec& yarn = *spec.yarn;
  double low = pair_that_turns(double(yarn.beta_fast), spec), high = pair_that_turns(double(yarn.beta_slow), spec);
  if (yarn.has_whole_bounds) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, double(spec.dimensions - 1));
  if (low == high) high += 0.001; // As transformers does.
  const double kept = 1 - std::clamp((pair - low) / (high - low), 0.0, 1.0);
  return kept + (1 - kept) / double(yarn.factor);
}

} // namespace

rope_table::rope_table(const rope_spec& spec, uint32_t positions)
    : kind_(spec.kind), pairs_(kind_ == rope_kind::none ? 0 : spec.dimensions / 2), positions_(positions) {
  TROUPE_ASSERT(spec.dimensions % 2 == 0);
  TROUPE_ASSERT(spec.factors.empty() || spec.factors.size() == spec.dimensions / 2);
  fine_bits_ = (std::bit_width(positions) + 1) / 2;
  const uint64_t step = uint64_t(1) << fine_bits_; // Of the coarse table, in positions.
  fine_.resize(step * pairs_);
  coarse_.resize((positions + step - 1) / step * pairs_);
  for (uint32_t pair = 0; pair < pairs_; ++pair) {
    double frequency = std::pow(double(spec.base), -2.0 * pair / spec.dimensions) / double(spec.scaling_factor);
    if (!spec.factors.empty())
      frequency /= double(spec.factors[pair]);
    if (spec.yarn)
      frequency *= yarn_share(spec, pair);
    const auto fill = [&](std::vector<angle>& table, double positions_per_row, double magnitude) {
      double position = 0;
      for (uint64_t at = pair; at < table.size(); at += pairs_, position += positions_per_row)
        table[at] = {magnitude * std::cos(position * frequency), magnitude * std::sin(position * frequency)};
    };
    fill(fine_, 1, 1);
    fill(coarse_, double(step), spec.yarn ? double(spec.yarn->magnitude) : 1);
  }
}

void rope_table::turn_at(uint32_t position, std::vector<float>& turn) const {
  turn.resize(turn_size());
  turn_at(position, turn.data());
}

void rope_table::turn_at(uint32_t position, float* turn) const {
  TROUPE_ASSERT(position < positions_);
  const angle* fine = fine_.data() + uint64_t(position & ((1u << fine_bits_) - 1)) * pairs_;
  const angle* coarse = coarse_.data() + uint64_t(position >> fine_bits_) * pairs_;
  for (uint32_t pair = 0; pair < pairs_; ++pair) { // e^i(a + b) = e^ia e^ib
    const angle a = fine[pair], b = coarse[pair];
    turn[pair] = float(a.cosine * b.cosine - a.sine * b.sine);
    turn[pairs_ + pair] = float(a.sine * b.cosine + a.cosine * b.sine);
  }
}

void rope_table::rotate(std::span<float> head, std::span<const float> turn) const {
  if (kind_ == rope_kind::none)
    return;
  TROUPE_ASSERT(turn.size() == 2 * uint64_t(pairs_));
  TROUPE_ASSERT(head.size() >= turn.size());
  const kernel_table& kernels = current_kernels();
  const auto rotate_kind =
      kind_ == rope_kind::interleaved ? kernels.rotate_interleaved : kernels.rotate_halves;
  rotate_kind(head.data(), turn.data(), turn.data() + pairs_, pairs_);
}

void rope_table::rotate(std::span<float> head, uint32_t position) const {
  if (kind_ == rope_kind::none)
    return;
  std::vector<float> turn;
  turn_at(position, turn);
  rotate(head, turn);
}

} // namespace troupe
