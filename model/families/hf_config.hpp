#pragma once
// What a config.json may ask for beyond what the families read.
#include "model/formats/hf_source.hpp"

namespace troupe {

/// Throws input_error naming the key when the configuration changes the maths in a way that no family here
/// supports: a sliding window in use, quantised weights, other rotary positions, ... Keys that only matter
/// for training, or that nobody knows, are not looked at. has_encoder: of a family with an encoder of its own.
void require_supported(const hf_source& source, bool has_encoder);

} // namespace troupe
