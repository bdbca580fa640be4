#include "model/sampling/logprobs.hpp"

#include "model/error.hpp"
#include "model/kernels/exponential.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe {

std::vector<token_logprob> logprobs(std::span<const float> logits, uint32_t chosen, uint32_t top) {
  TROUPE_ASSERT(chosen < logits.size());
  const double most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += exponential(double(logit) - most);
  const double log_sum = most + logarithm(sum);
  const auto of = [&](uint32_t token) { return token_logprob{token, float(double(logits[token]) - log_sum)}; };
  std::vector<token_logprob> result{of(chosen)};
  if (top == 0) return result;
  std::vector<uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0u);
  const auto end = order.begin() + std::min<ptrdiff_t>(top, ptrdiff_t(order.size()));
  std::partial_sort(order.begin(), end, order.end(), [&](uint32_t a, uint32_t b) {
    return logits[a] != logits[b] ? logits[a] > logits[b] : a < b;
  });
  for (auto it = order.begin(); it != end; ++it) result.push_back(of(*it));
  return result;
}

} // namespace troupe
