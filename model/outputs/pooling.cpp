#include "model/outputs/pooling.hpp"

#include "model/error.hpp"

#include <cmath>

namespace troupe {

std::vector<float> pool(std::span<const float> states, uint32_t width, pooling how) {
  TROUPE_ASSERT(!states.empty() && states.size() % width == 0);
  if (how == pooling::first) return {states.begin(), states.begin() + width};
  std::vector<double> sums(width);
  for (size_t i = 0; i < states.size(); ++i) sums[i % width] += states[i];
  std::vector<float> means;
  for (const double sum : sums) means.push_back(float(sum / (double(states.size()) / width)));
  return means;
}

double length_of(std::span<const float> vector) {
  double sum = 0;
  for (const float x : vector) sum += double(x) * x;
  return std::sqrt(sum);
}

void normalize(std::vector<float>& vector) {
  const double length = length_of(vector);
  if (length == 0) return;
  for (float& x : vector) x = float(x / length);
}

} // namespace troupe
