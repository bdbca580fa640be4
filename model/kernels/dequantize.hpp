#pragma once
// Tensors of any type as float32.
#include "model/stored_tensor.hpp"
#include <cstdint>
#include <span>
#include <vector>

namespace troupe {

/// Row `row` as float32, exactly the values the format defines. out: [columns]. The plain reference that kernels are
/// checked against, and the path for embeddings.
void dequantize_row(const tensor_view& tensor, uint64_t row, std::span<float> out);

/// The whole tensor as float32: [rows * columns].
std::vector<float> dequantize(const tensor_view& tensor);
std::vector<float> dequantize(const stored_tensor& tensor);

} // namespace troupe
