#include "model/audio/read_audio.hpp"
#include "model/audio/resampler.hpp"
#include "model/error.hpp"
#include "model/formats/input_file.hpp"
#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <sndfile.h>

namespace troupe {
namespace {

constexpr size_t piece_frames = 8192;
constexpr sf_count_t unknown_length = SF_COUNT_MAX;

/// A file in memory, as libsndfile reads one.
struct memory_file {
  std::span<const uint8_t> bytes;
  sf_count_t at = 0;

  static memory_file& of(void* self) { return *static_cast<memory_file*>(self); }
  static sf_count_t size(void* self) { return sf_count_t(of(self).bytes.size()); }
  static sf_count_t tell(void* self) { return of(self).at; }
  static sf_count_t seek(sf_count_t offset, int whence, void* self) {
    const sf_count_t from = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? of(self).at : size(self);
    if (offset < -from || offset > size(self) - from) return -1;
    return of(self).at = from + offset;
  }
  static sf_count_t read(void* to, sf_count_t count, void* self) {
    auto& file = of(self);
    const sf_count_t some = std::clamp<sf_count_t>(count, 0, size(self) - file.at);
    if (some > 0) std::memcpy(to, file.bytes.data() + file.at, size_t(some));
    file.at += some;
    return some;
  }
  static sf_count_t write(const void*, sf_count_t, void*) { return 0; }
};

/// MP3 and Ogg hold lossy sound, whose length a header may only estimate.
bool has_exact_length(int format) {
  const int container = format & SF_FORMAT_TYPEMASK;
  return container == SF_FORMAT_WAV || container == SF_FORMAT_WAVEX || container == SF_FORMAT_RF64 || container == SF_FORMAT_FLAC;
}

bool is_read(int format) {
  const int container = format & SF_FORMAT_TYPEMASK;
  return has_exact_length(format) || container == SF_FORMAT_OGG || container == SF_FORMAT_MPEG;
}

} // namespace

struct audio_reader::decoder {
  std::string name;
  audio_limits limits;
  memory_file memory;
  SNDFILE* file = nullptr;
  SF_INFO info{};
  uint32_t rate;
  std::optional<resampler> to_rate;
  std::vector<float> piece, mono;
  std::vector<float> ready; // At the wanted rate, not handed out.
  uint64_t frames = 0;      // That were decoded.
  bool has_ended = false;

  decoder(std::string of, uint32_t wanted_rate, const audio_limits& within) : name(std::move(of)), limits(within), rate(wanted_rate) {}
  decoder(const decoder&) = delete;
  ~decoder() {
    if (file != nullptr) sf_close(file);
  }

  [[noreturn]] void fail(const std::string& why) const { throw input_error(name + ": " + why); }

  void require_size(uint64_t bytes) const {
    if (bytes == 0) fail("the file is empty");
    if (bytes > limits.file_bytes_max)
      fail("has " + std::to_string(bytes) + " bytes; at most " + std::to_string(limits.file_bytes_max) + " are read of sound");
  }

  void start() {
    if (file == nullptr || !is_read(info.format)) fail("is no sound that can be read: wanted WAV, FLAC, Ogg or MP3");
    if (info.channels < 1 || uint32_t(info.channels) > limits.channels_max)
      fail(std::to_string(info.channels) + " channels; wanted 1 to " + std::to_string(limits.channels_max));
    if (info.samplerate < int(limits.rate_min) || uint32_t(info.samplerate) > limits.rate_max)
      fail(std::to_string(info.samplerate) + " samples in a second; wanted " + std::to_string(limits.rate_min) + " to " +
           std::to_string(limits.rate_max));
    // Seeking is not needed, and of floats nothing is scaled.
    sf_command(file, SFC_SET_SCALE_FLOAT_INT_READ, nullptr, SF_FALSE);
    try {
      to_rate.emplace(uint32_t(info.samplerate), rate);
    } catch (const input_error& error) {
      fail(error.what());
    }
    piece.resize(piece_frames * size_t(info.channels));
    decode();
    if (frames == 0) fail("there is no sound in it");
  }

  /// Decodes the next piece.
  void decode() {
    if (has_ended) return;
    const sf_count_t count = sf_readf_float(file, piece.data(), sf_count_t(piece_frames));
    if (count < 0 || sf_error(file) != SF_ERR_NO_ERROR)
      fail("is damaged after " + std::to_string(double(frames) / info.samplerate) + " seconds: " + sf_strerror(file));
    if (count == 0) {
      has_ended = true;
      if (has_exact_length(info.format) && info.frames != unknown_length && frames < uint64_t(info.frames))
        fail("is cut short: there are " + std::to_string(frames) + " of " + std::to_string(info.frames) + " samples");
      return to_rate->finish(ready);
    }
    frames += uint64_t(count);
    if (double(frames) > limits.seconds_max * info.samplerate)
      fail("is longer than " + std::to_string(uint64_t(limits.seconds_max)) + " seconds");
    mono.clear();
    for (size_t i = 0; i < size_t(count); ++i) {
      double sum = 0;
      for (int c = 0; c < info.channels; ++c) sum += double(piece[i * size_t(info.channels) + size_t(c)]);
      const auto mean = float(sum / info.channels);
      // A sample beyond all measure would become infinite on its way through a filter.
      if (!(std::abs(mean) <= 1e6f)) fail("a sample is not a number that sound can have");
      mono.push_back(mean);
    }
    to_rate->push(mono, ready);
  }
};

audio_reader::audio_reader(const std::filesystem::path& path, uint32_t rate, const audio_limits& limits)
    : decoder_(std::make_unique<decoder>(path.string(), rate, limits)) {
  decoder_->require_size(input_file(path).size()); // Says why, where it is no file.
  decoder_->file = sf_open(path.c_str(), SFM_READ, &decoder_->info);
  decoder_->start();
}

audio_reader::audio_reader(std::span<const uint8_t> file, std::string_view name, uint32_t rate, const audio_limits& limits)
    : decoder_(std::make_unique<decoder>(std::string(name), rate, limits)) {
  decoder_->require_size(file.size());
  decoder_->memory.bytes = file;
  SF_VIRTUAL_IO functions{memory_file::size, memory_file::seek, memory_file::read, memory_file::write, memory_file::tell};
  decoder_->file = sf_open_virtual(&functions, SFM_READ, &decoder_->info, &decoder_->memory);
  decoder_->start();
}

audio_reader::~audio_reader() = default;

double audio_reader::seconds() const {
  const auto& info = decoder_->info;
  return info.frames > 0 && info.frames != unknown_length ? double(info.frames) / info.samplerate : 0;
}

void audio_reader::fill(std::vector<float>& samples, size_t count) {
  auto& ready = decoder_->ready;
  while (samples.size() < count) {
    while (ready.empty() && !decoder_->has_ended) decoder_->decode();
    if (ready.empty()) return;
    const auto some = ptrdiff_t(std::min(ready.size(), count - samples.size()));
    samples.insert(samples.end(), ready.begin(), ready.begin() + some);
    ready.erase(ready.begin(), ready.begin() + some);
  }
}

} // namespace troupe
