#pragma once
// A model once more, in float64, from the formulas: no kernels, no cache, no parts. It shares with troupe
// only how a file is read and a row dequantised.
#include "model/model_file.hpp"
#include <Eigen/Core>
#include <span>

namespace troupe {

using float64_matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// The logits of every token of a sequence, [tokens, columns], or of the sequence where the output is of its first row. segments: of each
/// token, or none; source: the encoder's tokens; pixels: of an image, whose first row's token is the class token.
float64_matrix float64_logits(const model_file& file, std::span<const uint32_t> tokens, std::span<const uint32_t> segments = {},
                              std::span<const uint32_t> source = {}, std::span<const float> pixels = {});

/// Root mean square of the difference, divided by the standard deviation of what is expected.
double relative_error(std::span<const float> actual, const float64_matrix& expected);

} // namespace troupe
