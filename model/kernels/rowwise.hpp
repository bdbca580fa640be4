#pragma once
// Operations on one row at a time: norms, activations, rotary positions, residual sums. A row's result
// depends on that row only. Sums run over 16 fixed lanes, added in one fixed order, on every instruction set.
#include "model/kernels/matrix.hpp"
#include "model/spec.hpp"
#include <span>

namespace troupe {

/// out = norm(x), see norm_spec. weight, bias, x, out: [columns]; bias may be empty. out may be x.
void normalize(const norm_spec& spec, std::span<const float> weight, std::span<const float> bias,
               std::span<const float> x, std::span<float> out);

/// x = act(x), element by element. gelu_tanh: 0.5x(1 + tanh(sqrt(2/π)(x + 0.044715x³))); silu: x / (1 +
/// e^-x).
void activate(activation_kind kind, std::span<float> x);

/// gate = act(gate) * up.
void activate_gated(activation_kind kind, std::span<float> gate, std::span<const float> up);

/// x += y.
void add(std::span<float> x, std::span<const float> y);

/// Sines and cosines of every pair for positions [0, positions): computed once in float64, rounded to
/// float32.
class rope_table {
public:
  rope_table() = default;
  rope_table(const rope_spec& spec, uint32_t positions);
  /// Turns one head's vector in place. head: [head_dim], head_dim >= spec.dimensions; position < positions.
  void rotate(std::span<float> head, uint32_t position) const;
  uint32_t positions() const { return positions_; }

private:
  rope_kind kind_ = rope_kind::none;
  uint32_t pairs_ = 0, positions_ = 0;
  std::vector<float> cosines_, sines_; // [positions, pairs]
};

/// True when no element is NaN or infinite.
bool is_finite(std::span<const float> x);

} // namespace troupe
