#include "apps/generators/choice.hpp"
#include "model/sampling/philox.hpp"
#include <cmath>

namespace troupe::generators {

uint32_t choice::next() {
  if (used_ == numbers_.size()) {
    const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
    const auto high = [](uint64_t value) { return static_cast<uint32_t>(value >> 32); };
    numbers_ = philox4x32_10({low(index_), high(index_), block_++, 0}, {low(seed_), high(seed_)});
    used_ = 0;
  }
  return numbers_[used_++];
}

uint32_t choice::number_below(uint32_t whole) { return whole < 2 ? 0 : static_cast<uint32_t>((uint64_t(next()) * whole) >> 32); }

void choice::count(uint32_t part, uint32_t whole) {
  if (part < whole) bits_ += std::log2(double(whole) / part);
}

uint32_t choice::below(uint32_t results) {
  count(1, results);
  return number_below(results);
}

bool choice::chance(uint32_t part, uint32_t whole) {
  const bool yes = number_below(whole) < part;
  count(yes ? part : whole - part, whole);
  return yes;
}

uint32_t choice::weighted(std::span<const uint32_t> weights) {
  uint32_t whole = 0;
  for (const uint32_t weight : weights) whole += weight;
  uint32_t left = number_below(whole), index = 0;
  while (left >= weights[index]) left -= weights[index++];
  count(weights[index], whole);
  return index;
}

} // namespace troupe::generators
