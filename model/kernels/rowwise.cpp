// Checks and dispatch of the row-wise operations; the arithmetic is in rowwise_kernels.hpp.
#include "model/kernels/rowwise.hpp"
#include "model/error.hpp"
#include "model/kernels/kernel_table.hpp"
#include <cmath>

namespace troupe {

void normalize(const norm_spec& spec, std::span<const float> weight, std::span<const float> bias,
               std::span<const float> x, std::span<float> out) {
  TROUPE_ASSERT(weight.size() == x.size());
  TROUPE_ASSERT(out.size() == x.size());
  TROUPE_ASSERT(bias.empty() || bias.size() == x.size());
  if (x.empty()) return;
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

bool is_finite(std::span<const float> x) { return current_kernels().is_finite(x.data(), x.size()); }

rope_table::rope_table(const rope_spec& spec, uint32_t positions)
    : kind_(spec.kind), pairs_(spec.dimensions / 2), positions_(positions) {
  if (kind_ == rope_kind::none) return;
  TROUPE_ASSERT(spec.dimensions % 2 == 0);
  TROUPE_ASSERT(spec.factors.empty() || spec.factors.size() == pairs_);
  cosines_.resize(uint64_t(positions) * pairs_);
  sines_.resize(cosines_.size());
  for (uint32_t pair = 0; pair < pairs_; ++pair) {
    double frequency =
        std::pow(double(spec.base), -2.0 * pair / spec.dimensions) / double(spec.scaling_factor);
    if (!spec.factors.empty()) frequency /= double(spec.factors[pair]);
    for (uint32_t position = 0; position < positions; ++position) {
      const uint64_t at = uint64_t(position) * pairs_ + pair;
      cosines_[at] = float(std::cos(position * frequency));
      sines_[at] = float(std::sin(position * frequency));
    }
  }
}

void rope_table::rotate(std::span<float> head, uint32_t position) const {
  if (kind_ == rope_kind::none) return;
  TROUPE_ASSERT(position < positions_);
  TROUPE_ASSERT(head.size() >= 2 * uint64_t(pairs_));
  const kernel_table& kernels = current_kernels();
  const auto rotate_kind =
      kind_ == rope_kind::interleaved ? kernels.rotate_interleaved : kernels.rotate_halves;
  const uint64_t at = uint64_t(position) * pairs_;
  rotate_kind(head.data(), cosines_.data() + at, sines_.data() + at, pairs_);
}

} // namespace troupe
