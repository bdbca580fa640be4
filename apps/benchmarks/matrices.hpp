#pragma once
// Packed weights for benchmarks. Their values do not matter as long as they are of a normal size: speed does not depend on them.
#include "model/kernels/matrix.hpp"
#include "model/kernels/weight_memory.hpp"
#include "model/tensor.hpp"
#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace troupe {

using matrices = std::vector<std::shared_ptr<const packed_matrix>>;

/// All in one piece of memory, in their order, as in an engine. The tensors' own bytes are not read.
inline matrices pack_all(std::vector<tensor_view> tensors) {
  uint64_t largest = 0, packed = 0;
  for (const auto& tensor : tensors) {
    largest = std::max(largest, tensor.rows * tensor.row_bytes());
    packed += packed_matrix::packed_bytes(tensor);
  }
  const std::vector<std::byte> content(largest, std::byte{0x2c});
  const weight_memory memory = allocate_weights(packed);
  matrices all;
  uint64_t used = 0;
  for (auto& tensor : tensors) {
    tensor.bytes = std::span(content).first(tensor.rows * tensor.row_bytes());
    all.push_back(packed_matrix::pack(tensor, cut(memory, used)));
    used += packed_matrix::packed_bytes(tensor);
  }
  return all;
}

} // namespace troupe
