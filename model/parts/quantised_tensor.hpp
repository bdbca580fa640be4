#pragma once
// Weights that become int8 while they are loaded.
#include "model/stored_tensor.hpp"

namespace troupe {

/// The tensor as Q8_0 (model/kernels/quantize.hpp), made of its bytes whenever they are read: as checked, and as small in memory at a
/// time, as reading them is. The same tensor where it has another type than F32, F16 and BF16, or rows of no whole blocks. Reading throws
/// input_error for values that are not finite.
stored_tensor as_q8_0(const stored_tensor& tensor);

} // namespace troupe
