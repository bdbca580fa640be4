#include "model/training/data/random_order.hpp"
#include "model/error.hpp"
#include "model/sampling/philox.hpp"
#include <numeric>
#include <utility>

namespace troupe {

namespace {

/// The upper 64 bits of bits * limit: below limit. A value is likelier than another by less than 2^-32, which nobody can see.
uint32_t scaled(uint64_t bits, uint64_t limit) {
  return static_cast<uint32_t>(((bits >> 32) * limit + ((bits & 0xFFFFFFFF) * limit >> 32)) >> 32);
}

} // namespace

void shuffle(std::span<uint32_t> values, uint64_t seed, uint64_t epoch, order_purpose purpose) {
  TROUPE_ASSERT(values.size() <= 0xFFFFFFFF);
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)};
  std::array<uint32_t, 4> drawn{};
  for (uint32_t draw = 0, left = static_cast<uint32_t>(values.size()); left > 1; --left, ++draw) {
    if (draw % 2 == 0)
      drawn = philox4x32_10({draw / 2, static_cast<uint32_t>(epoch), static_cast<uint32_t>(epoch >> 32),
                             static_cast<uint32_t>(purpose)}, key);
    const uint64_t bits = uint64_t(drawn[draw % 2 * 2]) << 32 | drawn[draw % 2 * 2 + 1];
    std::swap(values[left - 1], values[scaled(bits, left)]);
  }
}

std::vector<uint32_t> shuffled(uint32_t count, uint64_t seed, uint64_t epoch, order_purpose purpose) {
  std::vector<uint32_t> values(count);
  std::iota(values.begin(), values.end(), 0u);
  shuffle(values, seed, epoch, purpose);
  return values;
}

} // namespace troupe
