#include "model/training/data/batch_options.hpp"
#include "model/error.hpp"
#include <string>

namespace troupe {

void require_valid(const batch_options& options) {
  if (options.sequence_length == 0) throw input_error("the sequence length is 0");
  if (options.batch_tokens < options.sequence_length)
    throw input_error("a batch of " + std::to_string(options.batch_tokens) + " tokens does not hold a sequence of " +
                      std::to_string(options.sequence_length));
  if (options.batch_tokens >= uint64_t(1) << 31)
    throw input_error("a batch of " + std::to_string(options.batch_tokens) + " tokens is too large: it must be below 2^31");
}

} // namespace troupe
