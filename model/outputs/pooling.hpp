#pragma once
// From the hidden states of a text's tokens to one vector.
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Their mean, or that of the first token.
enum class pooling : uint8_t { mean, first };

/// states: [tokens, width], at least one token.
std::vector<float> pool(std::span<const float> states, uint32_t width, pooling how);
/// To length 1. A vector of length 0 stays as it is.
void normalize(std::vector<float>& vector);
/// sqrt(sum of squares), summed in float64.
double length_of(std::span<const float> vector);

} // namespace troupe
