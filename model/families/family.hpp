#pragma once
// From a published model to a model_spec: one function per published family of models, found by the name in
// general.architecture (GGUF) or by model_type and architectures (Hugging Face).
#include "model/formats/gguf.hpp"
#include "model/formats/hf_folder.hpp"
#include "model/spec.hpp"
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace troupe {

struct model_description {
  model_spec spec;
  model_tensors tensors;
  std::vector<std::shared_ptr<byte_memory>> copies; // Weights that had to be stored another way round, or that were made: where.
  uint64_t parameters = 0;
  std::vector<std::pair<std::string, uint64_t>> tensor_types; // "Q8_0" -> how many tensors, by type.
  std::vector<published_tensor> published; // Those of the source that are used.
  std::string config;                      // The text of config.json; empty for a GGUF file.
  rope_kind gguf_rope = rope_kind::none;   // What the family's GGUF files have, whatever this one has.
};

/// One class of models of a family: what the same layers end in.
struct family {
  std::string_view architecture; // As general.architecture and model_type say it.
  std::string_view model_class;  // As Hugging Face's architectures says it.
  bool has_encoder;              // Beside the stack that its tokens pass.
  /// Throws input_error when a key or a tensor is missing, of the wrong shape, out of bounds, or not
  /// understood.
  model_description (*describe)(const model_source& source);
};

/// All families, by name, each with the class that is meant where none is named first. A new one is a file in this folder and a line
/// in family.cpp for each of its classes.
std::span<const family> families();

/// Describes the model by its family's rules. The result is consistent: every tensor has the shape that the
/// spec says, every number is within bounds that all later code can handle. Throws input_error otherwise, and
/// for what is not a (whole) model, of a family not known (listing those that are), or has configuration that
/// changes the maths in a way that is not supported.
model_description describe_model(const gguf& file);
model_description describe_model(const hf_source& source);

// The families; each is in the file of its name.
model_description describe_llama(const model_source& source);
model_description describe_qwen2(const model_source& source);
model_description describe_qwen3(const model_source& source);
model_description describe_gpt2(const model_source& source);
model_description describe_bert(const model_source& source);
model_description describe_bert_for_masked_lm(const model_source& source);
model_description describe_bert_for_classification(const model_source& source);
model_description describe_bert_for_question_answering(const model_source& source);
model_description describe_distilbert(const model_source& source);
model_description describe_distilbert_for_masked_lm(const model_source& source);
model_description describe_distilbert_for_classification(const model_source& source);
model_description describe_distilbert_for_question_answering(const model_source& source);
model_description describe_bart(const model_source& source);
model_description describe_marian(const model_source& source);
model_description describe_t5(const model_source& source);
model_description describe_vit(const model_source& source);
model_description describe_vit_for_classification(const model_source& source);
model_description describe_whisper(const model_source& source);

} // namespace troupe
