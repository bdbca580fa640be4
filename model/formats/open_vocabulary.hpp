#pragma once
// The tokenizer of a model, without the model.
#include "model/tokenizer/vocabulary.hpp"
#include <filesystem>

namespace troupe {

/// Of a GGUF file, a Hugging Face folder (or its config.json, tokenizer.json, or a .safetensors file in it), or a sentencepiece model
/// (*.model, *.spm). Nothing else of the model needs to be there, or of a known family. Where it says how many ids it embeds, that many
/// there are, those without a piece unused. Kind none where there is no tokenizer. Throws input_error naming file, place and reason.
vocabulary open_vocabulary(const std::filesystem::path& path);

} // namespace troupe
