#include "model/training/data/mask_tokens.hpp"
#include "model/error.hpp"
#include "model/sampling/philox.hpp"

namespace troupe {

namespace {

constexpr uint32_t of_masking = 0x6D61736B; // So that no other draw of the same seed is the same.

/// bits * limit / 2^32: below limit.
uint32_t scaled(uint32_t bits, uint64_t limit) { return static_cast<uint32_t>(uint64_t(bits) * limit >> 32); }

} // namespace

void mask_tokens(std::span<micro_batch> batch, const masking_options& options, uint64_t step) {
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(options.seed), static_cast<uint32_t>(options.seed >> 32)};
  const auto chosen_below = static_cast<uint32_t>(options.share * 4294967296.0);
  uint32_t row = 0;
  for (micro_batch& part : batch) {
    part.targets.assign(part.tokens.size(), no_target);
    for (size_t i = 0; i < part.tokens.size(); ++i, ++row) {
      uint32_t& token = part.tokens[i];
      TROUPE_ASSERT(token < options.is_special.size());
      const auto bits = philox4x32_10({row, static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32), of_masking}, key);
      if (options.is_special[token] || bits[0] >= chosen_below) continue;
      part.targets[i] = static_cast<int32_t>(token);
      const uint32_t tenth = scaled(bits[1], 10);
      if (tenth < 8) token = options.mask_token;
      else if (tenth == 8) token = scaled(bits[2], options.is_special.size());
    }
  }
}

} // namespace troupe
