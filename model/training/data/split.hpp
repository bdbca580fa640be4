#pragma once
// Which documents are trained on, and which are kept to see how well.
#include <cstdint>
#include <vector>

namespace troupe {

struct split_options {
  double validation_share = 0; // Of the documents, in [0, 1). 0: none.
  uint64_t seed = 0;
};

/// Throws input_error for a share outside [0, 1).
void require_valid(const split_options& options);

/// Numbers of documents, ascending. Each document is in one of the two.
struct document_split {
  std::vector<uint32_t> training, validation;
};

/// round(share * documents) documents for validation, drawn by the seed. A share above 0 gives at least one, and at least one is
/// left for training: throws input_error when there is only one document. A permutation, not a hash of each document's number: the
/// counts are exact, also for few documents. (Documents that are added later change the split, as they change the token file.)
/// With files of their own for validation there is nothing to split: that source is a token file of its own.
document_split split_documents(uint64_t documents, const split_options& options);

} // namespace troupe
