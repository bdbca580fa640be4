#pragma once
// A model as a folder that Hugging Face's libraries, and open_model, open.
#include "model/model_file.hpp"
#include "model/training/tensor_key.hpp"
#include <filesystem>
#include <functional>
#include <vector>

namespace troupe {

/// Whole tensors by key, as model_tensors have them: a matrix [outputs, inputs] row after row, a vector. Asked once
/// for each of keyed_tensors(), not in their order; one published tensor is in memory at a time.
using tensor_values = std::function<std::vector<float>(const tensor_key&)>;

/// The values that a model has itself, widened exactly. `model` must outlive it.
tensor_values values_of(const model_file& model);

/// Writes into `folder`, which exists and is empty:
/// - config.json: the text of `like`, but for the type of the weights (`dtype`, `torch_dtype`);
/// - model.safetensors: `values` in that type, F32 or F16 (the nearest, ties to even), under the names and in the shapes in which `like`
///   was published;
/// - where `like` was opened from a folder, the files of its tokenizer as they are: tokenizer.json,
///   tokenizer_config.json, special_tokens_map.json, chat_template.jinja, and generation_config.json;
/// - where it is a new model with a vocabulary, tokenizer.json and tokenizer_config.json (write_tokenizer_json), and
///   generation_config.json with the tokens that begin and end a text.
/// open_model then gives `like` with these values, rounded to F16 if that is the type. Every file is on the disk when this returns; that the folder is
/// there whole or not at all is for the caller to do, with an atomic_folder.
///
/// Throws input_error: for a model from a GGUF file, a vocabulary that cannot be written, what the system cannot
/// write, a value that F16 does not hold; then nothing is left in the folder. A tensor of the wrong size is a broken invariant.
void save_folder(const std::filesystem::path& folder, const model_file& like, const tensor_values& values,
                 tensor_type type = tensor_type::f32);

} // namespace troupe
