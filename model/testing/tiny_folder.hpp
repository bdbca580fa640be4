#pragma once
// Small, valid model folders for tests, as Hugging Face publishes models: the tiny model of the same options,
// written another way.
#include "model/testing/tiny_model.hpp"

namespace troupe::testing {

/// Writes config.json, model.safetensors (or `shards` files and their index), tokenizer.json,
/// tokenizer_config.json and generation_config.json into a new folder of this process's temporary directory,
/// and returns its path. The weights are those of tiny_model_bytes(options), so that results can be compared
/// with those of the GGUF file: they are the same bits but for llama, whose heads are ordered differently.
/// options.type must be F32, F16 or BF16; without and also change what is written from.
std::filesystem::path write_tiny_folder(const tiny_model_options& options = {}, uint32_t shards = 1);

} // namespace troupe::testing
