#include "model/sampling/normal.hpp"
#include "model/sampling/philox.hpp"
#include <array>

namespace troupe {
namespace {

constexpr size_t words_each = 6; // Two uniform numbers in a word.

/// The sum of the 12 halves, each as the middle of its 65536th, minus 6. Exact: a multiple of 2^-16.
float centred_sum(const uint32_t* words) {
  int32_t sum = 6 - 6 * 65536;
  for (size_t i = 0; i < words_each; ++i) sum += static_cast<int32_t>((words[i] & 0xffff) + (words[i] >> 16));
  return static_cast<float>(sum) * 0x1p-16f;
}

} // namespace

void normal_values(uint64_t seed, uint64_t stream, float deviation, std::span<float> out) {
  const auto low = [](uint64_t value) { return static_cast<uint32_t>(value); };
  const auto high = [](uint64_t value) { return static_cast<uint32_t>(value >> 32); };
  std::array<uint32_t, 2 * words_each> words;
  for (size_t i = 0; i < out.size(); i += 2) {
    for (uint64_t block = 0; block < 3; ++block) {
      const uint64_t number = i / 2 * 3 + block;
      const auto four =
          philox4x32_10({low(number), high(number), low(stream), high(stream)}, {low(seed), high(seed)});
      for (size_t j = 0; j < four.size(); ++j) words[block * 4 + j] = four[j];
    }
    out[i] = deviation * centred_sum(words.data());
    if (i + 1 < out.size()) out[i + 1] = deviation * centred_sum(words.data() + words_each);
  }
}

} // namespace troupe
