#pragma once
// Made-up sounds, as the formats that are read.
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace troupe::testing {

/// A tone of this pitch, from -0.5 to 0.5.
std::vector<float> tone(double hz, uint32_t rate, size_t samples);

/// A file: "wav" (16 bits), "float" (a WAV of float32), "flac", "ogg" (Vorbis), "opus" or "mp3"; by libsndfile. samples: [frames,
/// channels]. Asserts that libsndfile writes it.
std::vector<uint8_t> audio_file(std::string_view format, std::span<const float> samples, uint32_t rate, uint32_t channels = 1);

} // namespace troupe::testing
