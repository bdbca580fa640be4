#pragma once
// A model as a GGUF file, which llama.cpp and open_model open.
#include "model/model_file.hpp"
#include <filesystem>

namespace troupe {

/// Writes `model`, opened from a folder or a file or made new, to `path`. The file appears whole or not at all.
///
/// type: of the matrices, F32, F16 or Q8_0 (see quantize). Norms, biases, learned positions, and matrices whose rows
/// are not whole blocks, are F32. Weights of other types are widened first.
///
/// The maths stays the same; but families whose GGUF files turn pairs (2i, 2i+1) of a head (llama) get the rows of
/// their query and key matrices in that order, where a folder has them for pairs (i, i + size/2). So attention sums
/// the products of a query and a key in another order, and logits may differ in the last bits; otherwise an exported
/// F32 model gives the bits of the original.
///
/// Throws input_error, naming the model: for a model of images, another type, values that are not finite, a vocabulary that cannot be
/// written (add_vocabulary), rotary positions that llama.cpp does not read for the family, what the system cannot
/// write.
void export_gguf(const std::filesystem::path& path, const model_file& model, tensor_type type);

} // namespace troupe
