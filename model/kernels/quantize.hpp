#pragma once
// Float32 as tensors of other types, for writing files.
#include "model/tensor.hpp"
#include <span>
#include <vector>

namespace troupe {

/// Whether quantize has the type: F32, F16, Q8_0.
bool can_quantize(tensor_type type);

/// Rows of whole blocks, one after the other. The results are those of llama.cpp's reference (ggml-quants.c):
/// - F16: the nearest, ties to even; beyond 65504 that.
/// - Q8_0: blocks of 32; scale d = max|x| / 127, stored as F16; each code is x * (1 / d), with d as it was before it was stored,
///   rounded to the nearest integer, halves away from zero.
/// Asserts that the type is one of these; Q8_0 also that all values are finite.
std::vector<std::byte> quantize(tensor_type type, std::span<const float> values);

} // namespace troupe
