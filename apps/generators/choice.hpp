#pragma once
// The draws of a text, and the information in them.
//
// Why the bits are an upper bound of the text's entropy. A text is a function of its draws: text = f(d1, d2, ...). Each draw is
// taken from a distribution that the draws before it decide, so the chain rule gives H(draws) = E[sum of -log2 p(di |
// d1...di-1)], which is what bits() adds up, and H(text) <= H(draws), because a function of a variable has no more entropy than
// the variable. Both are equal if no two sequences of draws give the same text. Therefore a draw is made at the moment when its
// result is written, or when something must be known that will be written; nothing is drawn that does not show. What is left of
// the gap are the few texts that can come about in two ways.
//
// So no model, however good, has a mean loss per text below H(text), and one that has learned everything can reach H(text),
// which is at most the mean of bits(). A loss a little below the mean of bits() can only come from texts with two ways to them.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace troupe::generators {

/// The draws of text `index` of `seed`: the same on every machine, and independent of all other texts.
class choice {
public:
  choice(uint64_t seed, uint64_t index) : seed_(seed), index_(index) {}

  /// One of 0 ... count - 1, all equally likely (to within count / 2^32). count >= 1; 1 draws nothing and counts nothing.
  uint32_t below(uint32_t count);
  /// True in `part` of `whole` cases. 0 < part < whole.
  bool chance(uint32_t part, uint32_t whole);
  /// One of 0 ... weights.size() - 1, `i` in weights[i] of the sum of all cases. The weights are not 0.
  uint32_t weighted(std::span<const uint32_t> weights);

  /// The sum of -log2 of the probabilities of all draws.
  double bits() const { return bits_; }

private:
  uint32_t next();
  uint32_t number_below(uint32_t count);     // Draws without counting.
  void count(uint32_t part, uint32_t whole); // Counts a draw of probability part / whole.

  uint64_t seed_, index_;
  uint32_t block_ = 0, used_ = 4; // The next block of the generator; how many numbers of the present one are used.
  std::array<uint32_t, 4> numbers_{};
  double bits_ = 0;
};

} // namespace troupe::generators
