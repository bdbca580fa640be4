#include "model/kernels/row_buffers.hpp"
#include <algorithm>

namespace troupe {

void transpose(const_rows from, mutable_rows to) {
  TROUPE_ASSERT(to.rows == from.columns);
  TROUPE_ASSERT(to.columns == from.rows);
  constexpr uint32_t block = 16;
  for (uint32_t i = 0; i < from.rows; i += block)
    for (uint32_t j = 0; j < from.columns; ++j) {
      const uint32_t end = std::min(i + block, from.rows);
      for (uint32_t k = i; k < end; ++k) to.data[j * to.stride + k] = from.data[k * from.stride + j];
    }
}

} // namespace troupe
