#pragma once
// Rows of float32 in a buffer that only ever grows.
#include "model/parts.hpp"

namespace troupe {

/// [rows, columns] at the start of `buffer`, which is made larger where it is too small. What the rows hold
/// is left over from earlier use. Valid until the buffer changes.
mutable_rows rows_in(std::vector<float>& buffer, uint32_t rows, uint32_t columns);

} // namespace troupe
