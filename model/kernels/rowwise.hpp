#pragma once
// Operations on one row at a time: norms, activations, rotary positions, residual sums. A row's result depends on that
// row only. Sums run over 16 fixed lanes, added in one fixed order, on every instruction set.
#include "model/spec.hpp"
#include <span>
#include <vector>

namespace troupe {

/// out = norm(x), see norm_spec. weight, bias, x, out: [columns]; bias may be empty. out may be x.
void normalize(const norm_spec& spec, std::span<const float> weight, std::span<const float> bias,
               std::span<const float> x, std::span<float> out);

/// x = act(x), element by element. gelu_tanh: 0.5x(1 + tanh(sqrt(2/π)(x + 0.044715x³))); silu: x / (1 + e^-x);
/// tanh: with an absolute error below 2e-7.
void activate(activation_kind kind, std::span<float> x);

/// gate = act(gate) * up.
void activate_gated(activation_kind kind, std::span<float> gate, std::span<const float> up);

/// x += y.
void add(std::span<float> x, std::span<const float> y);

/// The turns (rotations, with YaRN also stretched) of every pair for positions [0, positions). A position is fine + coarse * 2^k,
/// and its turn the product of two turns kept in float64, rounded to float32 at the end (within an ulp of what float64 gives
/// directly): the memory grows with the square root of `positions`, 2 MB for a million positions of 64 pairs.
class rope_table {
public:
  rope_table() = default;
  rope_table(const rope_spec& spec, uint32_t positions);
  uint32_t positions() const { return positions_; }

  /// The turn of one position: the cosines, then the sines, of all pairs. position < positions(). `turn` is resized:
  /// keep it between calls. All heads of a row turn alike.
  void turn_at(uint32_t position, std::vector<float>& turn) const;
  /// The same, into turn_size() floats.
  void turn_at(uint32_t position, float* turn) const;
  uint32_t turn_size() const { return 2 * pairs_; }
  /// Turns one head's vector in place. head: at least spec.dimensions.
  void rotate(std::span<float> head, std::span<const float> turn) const;
  /// Both at once, for a single head.
  void rotate(std::span<float> head, uint32_t position) const;

private:
  struct angle {
    double cosine, sine;
  };
  rope_kind kind_ = rope_kind::none;
  uint32_t pairs_ = 0, positions_ = 0;
  uint32_t fine_bits_ = 0;
  std::vector<angle> fine_, coarse_; // [2^fine_bits, pairs], [positions / 2^fine_bits rounded up, pairs]
};

/// The largest element. x: at least one element, none of them NaN.
float largest(std::span<const float> x);

/// True when no element is NaN or infinite.
bool is_finite(std::span<const float> x);

/// The sum of the bits of all elements, modulo 2^32: one wrong bit, or one wrong element, always changes it.
uint32_t sum_of_bits(std::span<const float> x);

} // namespace troupe
