#pragma once
#include "model/model_file.hpp"
#include <cstdint>

namespace troupe {

/// A hash of what a model is apart from what its tensors hold: their names, types and shapes, and all of its spec that changes results. Two
/// models with the same one and the same bytes in their tensors compute the same, whatever their files look like.
uint64_t description_hash(const model_file& model);

} // namespace troupe
