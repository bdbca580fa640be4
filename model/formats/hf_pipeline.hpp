#pragma once
// The parts of a tokenizer.json around its model. Not for other files than hf_*.cpp.
#include "model/formats/json.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <functional>

namespace troupe::detail {

/// From tokenizer.json's members normalizer, pre_tokenizer, decoder and model.type to the vocabulary's kind
/// and its rules of text. Throws input_error for what is not supported.
void read_pipeline(const json_node& tokenizer, vocabulary& words);

/// From post_processor to bos, eos, add_bos and add_eos, or what it has beyond them, and to what goes around pairs. The
/// ids must be below `pieces`.
void read_post_processor(const json_node& tokenizer, size_t pieces, vocabulary& words);

} // namespace troupe::detail
