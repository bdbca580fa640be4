#pragma once
// A model as it comes from a file or a folder: its spec, its tensors, its tokenizer's vocabulary, how it is to be decoded.
#include "model/audio/log_mel.hpp"
#include "model/decoding/decoding_defaults.hpp"
#include "model/formats/input_file.hpp"
#include "model/formats/model_source.hpp"
#include "model/images/preparation.hpp"
#include "model/spec.hpp"
#include "model/tokenizer/vocabulary.hpp"
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// Immutable, shared. Its tensors are still in its files; what is made of them (model/parts.hpp) does not need the files any more, but
/// to pack again what was found to be wrong.
struct model_file {
  std::filesystem::path path; // As it was opened; empty for a model that only exists in memory.
  model_spec spec;
  model_tensors tensors;
  vocabulary words;
  decoding_defaults decoding; // Of a model with an encoder.
  std::optional<image_preparation> images; // Of a model of images.
  std::optional<audio_preparation> audio;  // Of a model that listens.
  uint64_t file_bytes = 0; // Of all files with tensors together.
  uint64_t parameters = 0;
  std::vector<std::pair<std::string, uint64_t>> tensor_types; // "Q8_0" -> how many tensors.
  std::vector<std::shared_ptr<const input_file>> files;       // What the tensors are in.

  // For saving it as a folder or exporting it (model/families).
  std::vector<published_tensor> published; // Every published tensor that those of `tensors` are of.
  std::string config;                      // The text of config.json; empty for a GGUF file.
  rope_kind gguf_rope = rope_kind::none;   // What GGUF files of this family have, whatever `spec` has.
};

struct model_description;
/// What a family has found, as a model without files and words.
std::shared_ptr<model_file> make_model_file(model_description description);

/// Opens a GGUF file, or a folder as Hugging Face publishes models (config.json, safetensors, tokenizer.json;
/// naming the config.json or a .safetensors file of the model opens its folder). Checks all of it that is
/// used later, and describes it by the rules of its family. Throws input_error naming file, place and reason.
/// Allocates in proportion to what the files really hold.
std::shared_ptr<const model_file> open_model(const std::filesystem::path& path);

/// The same file or folder before a family reads it: its tensors by their published names.
std::unique_ptr<const model_source> open_source(const std::filesystem::path& path);

} // namespace troupe
