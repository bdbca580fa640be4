#include "model/training/data/split.hpp"
#include "model/error.hpp"
#include "model/training/data/random_order.hpp"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace troupe {

void require_valid(const split_options& options) {
  if (!(options.validation_share >= 0 && options.validation_share < 1))
    throw input_error("the share of documents for validation is " + std::to_string(options.validation_share) +
                      "; it must be at least 0 and below 1");
}

document_split split_documents(uint64_t documents, const split_options& options) {
  require_valid(options);
  TROUPE_ASSERT(documents <= 0xFFFFFFFF);
  const auto count = static_cast<uint32_t>(documents);
  document_split result;
  if (options.validation_share == 0) {
    result.training.resize(count);
    std::iota(result.training.begin(), result.training.end(), 0u);
    return result;
  }
  if (count < 2)
    throw input_error("the training data is " + std::to_string(count) +
                      " document: there is none to keep for validation; give files for it, or a separator between documents");
  const auto order = shuffled(count, options.seed, 0, order_purpose::split);
  const auto wanted = static_cast<uint64_t>(std::llround(options.validation_share * count));
  const auto middle = order.begin() + static_cast<ptrdiff_t>(std::clamp<uint64_t>(wanted, 1, count - 1));
  result.validation.assign(order.begin(), middle);
  result.training.assign(middle, order.end());
  std::sort(result.validation.begin(), result.validation.end());
  std::sort(result.training.begin(), result.training.end());
  return result;
}

} // namespace troupe
