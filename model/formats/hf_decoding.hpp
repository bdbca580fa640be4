#pragma once
// How a model in Hugging Face's way is to be decoded: generation_config.json, or config.json in older folders.
#include "model/decoding/decoding_defaults.hpp"
#include <cstdint>
#include <filesystem>
#include <vector>

namespace troupe {

/// Of a folder with a model that has an encoder. Where there is a generation_config.json, config.json says nothing of it.
/// end_tokens: what ends a sequence. A token beyond the vocabulary, a number out of bounds, a value of another kind: such a setting is
/// among those ignored, for only some commands decode. So is all of a file that is no JSON object.
decoding_defaults read_decoding_defaults(const std::filesystem::path& folder, uint32_t vocabulary, const std::vector<uint32_t>& end_tokens);

} // namespace troupe
