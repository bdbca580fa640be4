// Goal: the numbers are what the header says (their distribution, that they depend on seed, stream and index only), and stay the same.
#include "model/sampling/normal.hpp"
#include "model/sampling/philox.hpp"
#include "support/catch.hpp"
#include <algorithm>
#include <cmath>
#include <vector>

using namespace troupe;

namespace {

std::vector<float> drawn(uint64_t seed, uint64_t stream, size_t count, float deviation = 1) {
  std::vector<float> values(count);
  normal_values(seed, stream, deviation, values);
  return values;
}

double moment(const std::vector<float>& values, int power) {
  double sum = 0;
  for (const float value : values) sum += std::pow(double(value), power);
  return sum / double(values.size());
}

} // namespace

TEST_CASE("normal values have the moments of a sum of twelve uniform numbers", "[sampling]") {
  const auto values = drawn(5, 7, 1'000'000);
  CHECK(std::abs(moment(values, 1)) < 0.004);
  CHECK(std::abs(moment(values, 2) - 1) < 0.006);
  CHECK(std::abs(moment(values, 3)) < 0.02);
  CHECK(std::abs(moment(values, 4) - 2.9) < 0.04); // 3 - 1.2 / 12.
  // Odd and even ones come from different words: no one follows from the other.
  double together = 0;
  for (size_t i = 0; i + 1 < values.size(); i += 2) together += double(values[i]) * values[i + 1];
  CHECK(std::abs(together / (double(values.size()) / 2)) < 0.008);
}

TEST_CASE("a normal value depends on seed, stream and index only", "[sampling]") {
  const auto many = drawn(3, 9, 1001), few = drawn(3, 9, 10);
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
  CHECK(drawn(4, 9, 10) != few);
  CHECK(drawn(3, 10, 10) != few);
  CHECK(drawn(3 + (uint64_t(1) << 32), 9, 10) != few);
  CHECK(drawn(3, 9 + (uint64_t(1) << 32), 10) != few);
  const auto scaled = drawn(3, 9, 10, 0.25f);
  for (size_t i = 0; i < few.size(); ++i) CHECK(scaled[i] == 0.25f * few[i]);
}

TEST_CASE("the first normal values are what the documented formula gives", "[sampling]") {
  // Written another way: every 16 bits of the blocks in turn, as real numbers.
  std::vector<double> uniform;
  for (uint32_t block = 0; block < 6; ++block)
    for (const uint32_t word : philox4x32_10({block, 0, 9, 0}, {3, 0}))
      for (const uint32_t half : {word & 0xffff, word >> 16}) uniform.push_back((half + 0.5) / 65536);
  const auto values = drawn(3, 9, 4);
  for (size_t i = 0; i < 4; ++i) {
    double sum = -6;
    for (size_t j = 0; j < 12; ++j) sum += uniform[i * 12 + j];
    CHECK(values[i] == float(sum));
  }
}
