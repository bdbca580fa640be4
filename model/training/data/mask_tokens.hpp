#pragma once
#include "model/training/micro_batch.hpp"
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Masked language modelling, BERT (Devlin et al. 2019, §3.1, appendix A.1): tokens are chosen with a probability of `share`, to be
/// predicted from the others. Of those chosen 80 % become the mask, 10 % any token, and 10 % stay as they are.
struct masking_options {
  double share = 0.15;           // In (0, 1).
  uint64_t seed = 0;
  uint32_t mask_token = 0;
  std::vector<bool> is_special = {}; // By token, of the whole vocabulary: those that are never chosen.
};

/// What becomes of a token is drawn from (seed, step, its row in the batch): so it does not matter how a batch is cut into micro-batches.
/// Targets that there are give way to those of the tokens chosen.
void mask_tokens(std::span<micro_batch> batch, const masking_options& options, uint64_t step);

} // namespace troupe
