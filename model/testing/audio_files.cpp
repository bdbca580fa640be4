#include "model/testing/audio_files.hpp"
#include "model/error.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <sndfile.h>

namespace troupe::testing {
namespace {

struct written_file {
  std::vector<uint8_t> bytes;
  size_t at = 0;

  static written_file& of(void* self) { return *static_cast<written_file*>(self); }
  static sf_count_t size(void* self) { return sf_count_t(of(self).bytes.size()); }
  static sf_count_t tell(void* self) { return sf_count_t(of(self).at); }
  static sf_count_t seek(sf_count_t offset, int whence, void* self) {
    const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? tell(self) : size(self);
    of(self).at = size_t(from + offset);
    return from + offset;
  }
  static sf_count_t read(void* to, sf_count_t count, void* self) {
    auto& file = of(self);
    const size_t some = std::min(size_t(count), file.bytes.size() - std::min(file.at, file.bytes.size()));
    if (some > 0) std::memcpy(to, file.bytes.data() + file.at, some);
    file.at += some;
    return sf_count_t(some);
  }
  static sf_count_t write(const void* from, sf_count_t count, void* self) {
    auto& file = of(self);
    file.bytes.resize(std::max(file.bytes.size(), file.at + size_t(count)));
    std::memcpy(file.bytes.data() + file.at, from, size_t(count));
    file.at += size_t(count);
    return count;
  }
};

int format_of(std::string_view name) {
  if (name == "wav") return SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  if (name == "float") return SF_FORMAT_WAV | SF_FORMAT_FLOAT;
  if (name == "flac") return SF_FORMAT_FLAC | SF_FORMAT_PCM_16;
  if (name == "ogg") return SF_FORMAT_OGG | SF_FORMAT_VORBIS;
  if (name == "opus") return SF_FORMAT_OGG | SF_FORMAT_OPUS;
  TROUPE_ASSERT(name == "mp3");
  return SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III;
}

} // namespace

std::vector<float> tone(double hz, uint32_t rate, size_t samples) {
  std::vector<float> result(samples);
  for (size_t i = 0; i < samples; ++i) result[i] = float(0.5 * std::sin(2 * 3.14159265358979323846 * hz * double(i) / rate));
  return result;
}

std::vector<uint8_t> audio_file(std::string_view format, std::span<const float> samples, uint32_t rate, uint32_t channels) {
  written_file file;
  SF_INFO info{};
  info.samplerate = int(rate);
  info.channels = int(channels);
  info.format = format_of(format);
  SF_VIRTUAL_IO functions{written_file::size, written_file::seek, written_file::read, written_file::write, written_file::tell};
  SNDFILE* to = sf_open_virtual(&functions, SFM_WRITE, &info, &file);
  TROUPE_ASSERT(to != nullptr);
  // In pieces: the encoder of Vorbis takes all that it gets on the stack.
  for (size_t at = 0; at < samples.size(); at += 4096 * channels) {
    const auto count = sf_count_t(std::min<size_t>(4096 * channels, samples.size() - at));
    TROUPE_ASSERT(sf_write_float(to, samples.data() + at, count) == count);
  }
  sf_close(to);
  return std::move(file.bytes);
}

} // namespace troupe::testing
