#pragma once
// From a file to a model_spec: one function per published family of models, found by the name in
// general.architecture.
#include "model/formats/gguf.hpp"
#include "model/spec.hpp"
#include <span>
#include <string_view>

namespace troupe {

struct model_description {
  model_spec spec;
  model_tensors tensors; // Views into the file's mapping.
};

struct family {
  std::string_view architecture; // As general.architecture says it.
  /// Throws input_error when a key or a tensor is missing, of the wrong shape, out of bounds, or not
  /// understood.
  model_description (*describe)(const gguf& file);
};

/// All families, by name. A new one is a file in this folder and a line in family.cpp.
std::span<const family> families();

/// Describes the file by its family's rules. The result is consistent: every tensor has the shape that the spec
/// says, every number is within bounds that all later code can handle. Throws input_error otherwise, and
/// for files that are not (whole) models or of a family not known, listing those that are.
model_description describe_model(const gguf& file);

// The families; each is in the file of its name.
model_description describe_llama(const gguf& file);
model_description describe_qwen2(const gguf& file);
model_description describe_qwen3(const gguf& file);
model_description describe_gpt2(const gguf& file);

} // namespace troupe
