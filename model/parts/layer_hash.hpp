#pragma once
#include "model/spec.hpp"
#include <cstdint>
#include <vector>

namespace troupe {

/// A hash of all tensors of a layer, names, types, shapes and bytes, as they are in the files: whoever else has a layer with the same hash
/// computes the same with it. Reads all of it, some GiB a second where the system has it in its cache. Against mistakes, not against
/// attacks. Throws input_error as reading does.
uint64_t layer_hash(const layer_tensors& layer);

/// Of each layer of a stack.
std::vector<uint64_t> layer_hashes(const stack_tensors& stack);

} // namespace troupe
