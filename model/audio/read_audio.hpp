#pragma once
// Sound from files that are not trusted, piece by piece.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace troupe {

struct audio_limits {
  uint64_t file_bytes_max = uint64_t(8) << 30;
  uint32_t rate_min = 1000, rate_max = 192'000;
  uint32_t channels_max = 64;
  double seconds_max = 24 * 3600;
};

/// Reads WAV, FLAC, Ogg (Vorbis, Opus) and MP3: its channels become one, their mean, at the wanted rate (model/audio/resampler.hpp). What
/// WAV, FLAC and MP3 give is the same on every machine; decoders of Vorbis and Opus may differ in last bits. Holds a piece at a time,
/// however long the sound is. All functions throw input_error, which names the file: it is no sound, is empty, is damaged or cut short so
/// that it shows, has samples that are no finite numbers, or is beyond the limits. Not thread-safe.
class audio_reader {
public:
  audio_reader(const std::filesystem::path& path, uint32_t rate, const audio_limits& limits = {});
  /// Of a file in memory, which must exist as long as this. name: for errors.
  audio_reader(std::span<const uint8_t> file, std::string_view name, uint32_t rate, const audio_limits& limits = {});
  ~audio_reader();
  audio_reader(const audio_reader&) = delete;
  audio_reader& operator=(const audio_reader&) = delete;

  /// As the file's header says it, which may lie; 0: it does not say.
  double seconds() const;
  /// Makes `samples` [count] long by what comes next, or shorter at the end.
  void fill(std::vector<float>& samples, size_t count);

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace troupe
