#pragma once
// The tokenizer that a vocabulary asks for.
#include "model/tokenizer/tokenizer.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <memory>

namespace troupe {

/// Throws input_error when the vocabulary is inconsistent or its pre-tokenizer is unknown.
std::shared_ptr<const tokenizer> make_tokenizer(const vocabulary& words);

} // namespace troupe
