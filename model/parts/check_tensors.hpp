#pragma once
// Whether the tensors of a model file are what its spec needs.
#include "model/model_file.hpp"

namespace troupe {

/// Throws input_error naming the file, the tensor, the shape found and the shape wanted.
void check_tensors(const model_file& file);

} // namespace troupe
