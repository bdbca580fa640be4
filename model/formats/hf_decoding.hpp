#pragma once
// How a model in Hugging Face's way is to be decoded: generation_config.json, or config.json in older folders.
#include "model/decoding/decoding_defaults.hpp"
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// Of a folder with a model that has an encoder. Where there is a generation_config.json, config.json says nothing of it.
/// end_tokens: what ends a sequence. A token beyond the vocabulary, a number out of bounds, a value of another kind: such a setting is
/// among those ignored, for only some commands decode. So is all of a file that is no JSON object.
decoding_defaults read_decoding_defaults(const std::filesystem::path& folder, uint32_t vocabulary, const std::vector<uint32_t>& end_tokens);

/// The tokens of speech of a model that listens: by what the same file says (lang_to_id, task_to_id, no_timestamps_token_id, ...), or else
/// by the names that the vocabulary gives them. Nothing: there is no vocabulary. Throws input_error for what the file says and cannot mean.
std::optional<speech_tokens> read_speech_tokens(const std::filesystem::path& folder, const std::vector<std::string>& pieces,
                                                uint32_t vocabulary, uint32_t start);

} // namespace troupe
