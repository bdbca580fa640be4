#pragma once
// Models that begin: a configuration, and weights drawn at random.
#include "model/model_file.hpp"
#include <cstdint>
#include <memory>
#include <string>

namespace troupe {

/// A model that exists only in memory: what open_model would give for a folder with this config.json, this
/// vocabulary, and fresh weights in float32, which the model_file owns. Its path and name are empty (the name is
/// `_name_or_path` where the configuration has it).
///
/// config_json: of a family that folders may have. `vocab_size` must be there and at least the number of pieces
/// of `words`; further ids get unused pieces. `words` may be of kind none.
///
/// The weights are those of GPT-2 (Radford et al. 2019, section 2.3, and Hugging Face's GPT2PreTrainedModel):
/// - norms 1, biases 0;
/// - matrices normal with mean 0 and deviation `initializer_range` or `init_std` (0.02 where neither is given);
/// - the attentions' output and the feed-forward's down matrix, which add to the residual stream, with that
///   divided by the root of how many there are in the stack, 2 * layers or 3 * layers, if norms are before blocks.
/// A value depends on the seed, the tensor's role and layer, and its index in the matrix [outputs, inputs] only;
/// see normal_values for how it is drawn.
///
/// Throws input_error naming the key of the configuration.
std::shared_ptr<const model_file> new_model(const std::string& config_json, vocabulary words, uint64_t seed);

} // namespace troupe
